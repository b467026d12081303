"""Makes features.json: the features of six windows by NumPy and SciPy alone, from their definitions. Not part of the product.

    pip install numpy==2.4.6 scipy==1.17.1 && python make-features.py < windows.json > features.json

windows.json: [{"name": "S001 at 696", "rateHz": 173.61, "samples": [...]}]; features.json holds the same with "features" by name.
"""
import json
import sys

import numpy as np
from scipy import signal, stats

BANDS = {"delta": (0.5, 4), "theta": (4, 8), "alpha": (8, 13), "beta": (13, 30), "gamma": (30, 45)}


def features(samples, rate):
    x = np.asarray(samples, float)
    n = len(x)
    centred = x - x.mean()
    sd = x.std()
    first, second = np.diff(x), np.diff(x, 2)
    mobility = first.std() / sd
    line = np.abs(first).mean()

    # One-sided power per bin such that a sine of amplitude A sums to A²/2.
    freqs, power = signal.periodogram(x, rate, window=signal.get_window("hann", n, fftbins=True), detrend="constant", scaling="density")
    power = power * rate / n
    inside = (freqs >= 0.5 - 1e-9) & (freqs < 45 - 1e-9)
    share = power[inside] / power[inside].sum()
    share_safe = share[share > 0]
    entropy = -(share_safe * np.log(share_safe)).sum() / np.log(inside.sum())
    bands = {name: power[(freqs >= low - 1e-9) & (freqs < high - 1e-9)].sum() for name, (low, high) in BANDS.items()}
    total = sum(bands.values())

    count = 4 if n < 2 * rate else 8
    parts = sorted(x[(k * n) // count : ((k + 1) * n) // count].std() for k in range(count))
    correlation = signal.correlate(centred, centred, method="direct")[n - 1 :]
    longest = min(round(rate / 2.5), n - 40)
    lags = np.arange(round(rate / 12.4), longest + 1)
    rhythm = (correlation[lags] * n / (n - lags) / correlation[0]).max()

    named = {
        "log mobility": np.log(mobility),
        "complexity": second.std() / first.std() / mobility,
        "log line length, scaled": np.log(line / sd),
        "log kurtosis": np.log(stats.kurtosis(x, fisher=False)),
        "absolute skewness": abs(stats.skew(x)),
        "zero-crossing rate": (np.diff((centred < 0).astype(int)) != 0).mean(),
        "spectral entropy": entropy,
        "steadiness": np.log(parts[0] / parts[-1]),
        "log SD of the middle part, scaled": np.log(parts[count // 2] / sd),
        "log median deviation, scaled": np.log(np.sort(np.abs(centred))[n // 2] / sd),
        "rhythm": rhythm,
        "log SD": np.log(sd),
        "log line length": np.log(line),
        "log peak to peak": np.log(np.ptp(x)),
        "log SD of the quietest part": np.log(parts[0]),
    }
    for name, value in bands.items():
        named[f"log relative power, {name}"] = np.log(value / total)
        named[f"log power, {name}"] = np.log(value)
    return {name: round(float(value), 10) for name, value in named.items()}


windows = json.load(sys.stdin)
json.dump([{**w, "features": features(w["samples"], w["rateHz"])} for w in windows], sys.stdout)
print()
