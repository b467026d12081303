"""Writes cases.jsonl: random scoring cases and what timescoring 0.0.7 makes of them. See README.md."""

import json
import math
import random
import warnings
from pathlib import Path

from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring, SampleScoring

CASES = 720
SEED = 20261128
warnings.simplefilter("ignore")  # a reference event wholly behind the recording divides 0 by 0: it is not detected


def length_of(rng):
    """Rate and number of samples of the masks that the reference implementation is given; seconds = samples / rate."""
    kind = rng.random()
    if kind < 0.35:
        return 1, rng.choice([60, 600, 3600, 7200])
    if kind < 0.7:
        return 10, rng.randint(1, 72_000)
    if kind < 0.95:
        return 256, rng.randint(128, 256 * 3600)  # fractions of a second: the number of samples is rounded
    return 1, 86_400


# How fine times are. 0.05 and 0.25 hit the half samples of a 10 Hz mask, 0.5 those of a 1 Hz mask.
GRIDS = [1.0, 0.5, 0.25, 0.1, 0.05, 0.01, None]


def on_grid(seconds, grid):
    return seconds if grid is None else round(round(seconds / grid) * grid, 6)


def some_events(rng, duration, grid):
    """Sorted by start. Gaps around 0 and 90 s, lengths around 0 and 300 s, overlaps, both edges of the recording; some nested."""
    count = rng.choice([0, 1, 1, 2, 3, 5, 8, 15])
    at = rng.choice([0.0, rng.uniform(0, duration)]) if count > 0 else 0.0
    events = []
    for _ in range(count):
        length = rng.choice([0.0, 0.04, 0.05, rng.uniform(0, 5), rng.uniform(5, 120), 299.9, 300.0, 300.1, rng.uniform(300, 1300)])
        start, end = on_grid(at, grid), on_grid(at + length, grid)
        if start >= duration:
            break
        if rng.random() < 0.9:
            end = min(end, duration)
        events.append((start, max(start, end)))
        gap = rng.choice([0.0, 0.05, 89.9, 90.0, 90.1, rng.uniform(0, 90), rng.uniform(90, 400), -rng.uniform(0, length)])
        at = max(start, at + length + gap)
    if events and rng.random() < 0.2:
        start, end = events[-1]
        events[-1] = (start, max(start, duration))  # up to the very end
    return sorted(events)


def near(rng, events, duration, grid):
    """Hypotheses that mean the reference: shifted by about the tolerances, sometimes missing."""
    moved = []
    for start, end in events:
        if rng.random() < 0.25:
            continue
        shift = rng.choice([0.0, -30.0, 60.0, -30.1, 60.1, rng.uniform(-60, 90)])
        first = min(max(0.0, on_grid(start + shift, grid)), duration)
        moved.append((first, max(first, on_grid(end + shift * rng.random(), grid))))
    return sorted(moved)


def plain(value):
    value = float(value)
    return None if math.isnan(value) else value


def scores(scoring):
    return {
        "samples": int(scoring.numSamples),
        "refs": int(scoring.refTrue),
        "tp": int(scoring.tp),
        "fp": int(scoring.fp),
        "sensitivity": plain(scoring.sensitivity),
        "precision": plain(scoring.precision),
        "f1": plain(scoring.f1),
        "fpPerDay": plain(scoring.fpRate) if scoring.numSamples > 0 else None,
    }


def main():
    rng = random.Random(SEED)
    lines = []
    while len(lines) < CASES:
        rate, samples = length_of(rng)
        duration = samples / rate
        grid = rng.choice(GRIDS)
        reference = some_events(rng, duration, grid)
        hypothesis = near(rng, reference, duration, grid) if rng.random() < 0.5 else some_events(rng, duration, grid)
        ref, hyp = Annotation(reference, rate, samples), Annotation(hypothesis, rate, samples)
        if round(duration) == 0:
            continue  # the reference implementation divides by zero samples
        by_event, by_sample = EventScoring(ref, hyp), SampleScoring(ref, hyp)
        case = {
            "durationS": duration,
            "reference": reference,
            "hypothesis": hypothesis,
            "event": scores(by_event),
            "sample": scores(by_sample),
        }
        lines.append(json.dumps(case))
    Path(__file__).with_name("cases.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":

    main()
