"""Samples of predictions and labels that reach every binade, and the places where methods change or results vanish.

Bit patterns are drawn with random low bits: a power-of-two stride would leave the low mantissa bits zero and hide
errors.
Only NumPy's legacy generator is used: its stream is the same in every NumPy version.
"""

from __future__ import annotations

import numpy as np

#: abs(z) where implementations change method: float32 and float64 exp(-z) below half an ulp of 1 (16.64, 36.74),
#: float32 exp overflows (88.72) or underflows (103.28), float64 exp overflows (709.78) or underflows (745.13).
BREAK_POINTS = (16.64, 36.74, 88.72, 103.28, 709.78, 745.13)

#: Labels that cases use, hard, soft, and outside [0, 1].
LABELS_INSIDE = (0.0, 1.0, 0.5, 0.3)
LABELS_OUTSIDE = (2.0, -2.0)

LARGEST = 1.7976931348623157e308
SMALLEST = 5e-324


def bit_uniform(low, high, size, random):
    """Return positive float64 values whose bit patterns are uniform between those of low and high."""
    first, last = np.array([low, high]).view(np.int64)
    return random.randint(first, last, size=size, dtype=np.int64).view(np.float64)


def neighbourhood(x, reach=4):
    """Return x and the ``reach`` float64 values on either side of it (x positive)."""
    return (np.array([x]).view(np.int64) + np.arange(-reach, reach + 1)).view(np.float64)


def logits(size, random):
    """Return about ``size`` logits of both signs."""
    parts = [
        bit_uniform(SMALLEST, LARGEST, size // 4, random),
        bit_uniform(1e-6, 760.0, size // 2, random),
        bit_uniform(0.3, 0.4, size // 8, random),  # where the gradient changes method
        bit_uniform(2.0**-12, 2.0**-9, size // 8, random),  # first steps of the tables
        np.concatenate([neighbourhood(x) for x in (*BREAK_POINTS, 1e-300, 2.0**-1022, 0.25, 0.5, 1.0, 2.0)]),
        np.array([SMALLEST, LARGEST]),
    ]
    z = np.concatenate(parts)
    return np.concatenate([z * random.choice([-1.0, 1.0], z.size), [0.0, -0.0]])


def probabilities(size, random):
    """Return about ``size`` probabilities strictly between 0 and 1."""
    parts = [
        bit_uniform(SMALLEST, 1.0, size // 4, random),
        bit_uniform(0.1, 1.0, size // 4, random),
        1.0 - bit_uniform(2.0**-53, 0.5, size // 4, random),
        bit_uniform(0.49, 0.51, size // 8, random),
        bit_uniform(2.0**-12, 2.0**-9, size // 8, random),
        np.concatenate([neighbourhood(x) for x in (0.25, 0.5, 0.75, 2.0**-1022, 2.0**-54)]),
        1.0 - np.arange(1, 9) * 2.0**-53,
        np.arange(1, 9) * SMALLEST,
    ]
    p = np.concatenate(parts)
    return p[(p > 0.0) & (p < 1.0)]


def predictions(form, size, random):
    """Return a sample for a form."""
    return logits(size, random) if form == "logits" else probabilities(size, random)


def labels_inside(size, random):
    """Return labels in [0, 1]: the usual ones, uniform ones, and ones near 0, near 1/2 and near 1."""
    choices = np.stack(
        [
            random.choice(LABELS_INSIDE, size),
            random.random_sample(size),
            bit_uniform(SMALLEST, 1.0, size, random),
            1.0 - bit_uniform(2.0**-53, 0.5, size, random),
            0.5 + bit_uniform(2.0**-53, 0.25, size, random) * random.choice([-1.0, 1.0], size),
        ]
    )
    return choices[random.randint(0, len(choices), size), np.arange(size)]


def labels_outside(size, random):
    """Return labels outside [0, 1], from just outside to the ends of the range."""
    choices = np.stack(
        [
            random.choice(LABELS_OUTSIDE, size),
            1.0 + bit_uniform(2.0**-52, 4.0, size, random),
            -bit_uniform(SMALLEST, 4.0, size, random),
            bit_uniform(1.0, 1e150, size, random) * random.choice([-1.0, 1.0], size),
        ]
    )
    return choices[random.randint(0, len(choices), size), np.arange(size)]
