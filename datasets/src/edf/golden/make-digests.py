#!/usr/bin/env python3
"""Makes digests.json: what is in each file of a mirror's edf/, decoded independently of our reader.

The samples are decoded with numpy from the bytes alone. Where pyEDFlib (0.1.42, EDFlib) opens a file, its digital samples and annotations
are compared with ours and a difference ends the program; files it refuses are listed with its words. Run:

    python3 -m venv venv && venv/bin/pip install numpy pyedflib
    venv/bin/python make-digests.py /path/to/mirror/edf
"""
import hashlib
import json
import re
import sys
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy
import pyedflib

DATA = Path(sys.argv[1])


def micros(text):
    return int((Decimal(text) * 1_000_000).to_integral_value(ROUND_HALF_UP))


def decode(path):
    raw = path.read_bytes()
    width = 3 if raw[0] == 255 else 2
    count = int(raw[252:256])
    column = lambda at, size: [raw[256 + at * count + i * size:][:size].decode('latin1').strip() for i in range(count)]
    labels, per_record = column(0, 16), [int(text) for text in column(216, 8)]
    declared = int(raw[236:244])
    start = 256 * (count + 1)
    record_bytes = sum(per_record) * width
    whole = (len(raw) - start) // record_bytes
    records = whole if declared < 0 else min(declared, whole)
    grid = numpy.frombuffer(raw, numpy.uint8, records * record_bytes, start).reshape(records, record_bytes)
    signals, annotations, times, at = [], [], [], 0
    for label, samples in zip(labels, per_record):
        part = grid[:, at:at + samples * width]
        at += samples * width
        if label in ('EDF Annotations', 'BDF Annotations'):
            for row in part:
                lists = [one for one in row.tobytes().split(b'\0') if one]
                for index, one in enumerate(lists):
                    onset, duration, texts = re.fullmatch(rb'([+-][0-9.]+)(?:\x15([0-9.]+))?\x14(.*)\x14', one, re.S).groups()
                    texts = texts.split(b'\x14')
                    if index == 0 and texts[0] == b'':
                        times.append(micros(onset.decode()))
                    annotations += [
                        [micros(onset.decode()), None if duration is None else micros(duration.decode()), text.decode('utf-8')]
                        for text in texts if text
                    ]
            continue
        wide = numpy.zeros((part.size // width, 4), numpy.uint8)
        wide[:, 4 - width:] = part.reshape(-1, width)
        values = (wide.view('<i4').ravel() >> (8 * (4 - width))).astype('<i4')
        signals.append({'label': label, 'values': values})
    annotations.sort(key=lambda one: one[0])
    return signals, annotations, times


def compare(path, signals, annotations):
    """pyEDFlib's view of the same file, or why it has none."""
    try:
        reader = pyedflib.EdfReader(str(path))
    except OSError as refused:
        return str(refused).split(': ', 1)[-1]
    for index, signal in enumerate(signals):
        if not numpy.array_equal(reader.readSignal(index, digital=True), signal['values']):
            sys.exit(f'{path}: signal {index} differs')
    onsets, durations, texts = reader.readAnnotations()
    # EDFlib tells whole 100 ns; it takes the time of the first record off.
    if len(texts) != len(annotations) or [one[2] for one in annotations] != list(texts):
        sys.exit(f'{path}: annotations differ: {list(texts)}')
    first = reader.starttime_subsecond / 1e7
    for one, onset, duration in zip(annotations, onsets, durations):
        if abs(one[0] / 1e6 - onset - first) > 2e-6 or (one[1] is not None and abs(one[1] / 1e6 - duration) > 2e-6):
            sys.exit(f'{path}: {one} is {onset} {duration}')
    return 'same'


result = {}
for path in sorted([*DATA.rglob('*.edf'), *DATA.rglob('*.bdf')]):
    signals, annotations, times = decode(path)
    result[str(path.relative_to(DATA))] = {
        'pyedflib': compare(path, signals, annotations),
        'signals': [
            {'label': one['label'], 'samples': len(one['values']), 'sha256': hashlib.sha256(one['values'].tobytes()).hexdigest()}
            for one in signals
        ],
        'recordTimesUs': times[:10],
        'annotations': len(annotations),
        'annotationsSha256': hashlib.sha256(json.dumps(annotations, ensure_ascii=False, separators=(',', ':')).encode()).hexdigest(),
    }
lines = [f'{json.dumps(name)}: {json.dumps(entry, separators=(",", ":"))}' for name, entry in result.items()]
Path(__file__).with_name('digests.json').write_text('{\n' + ',\n'.join(lines) + '\n}\n')
