"""One digest of the bits of all results on a fixed sample; needs NumPy only, also on the oldest interpreter.

python -m tests.reference.digest
"""

from __future__ import annotations

import hashlib
import platform

import numpy as np

import reference
from tests.reference import samples

QUANTITIES = ("value", "gradient-prediction", "gradient-label", "second-derivative")

#: What has parameters or came later.
EXTENDED = (
    ("gradient-weight", {"weight": 0.1, "pos_weight": 3.7}),
    ("gradient-pos_weight", {"weight": 0.1}),
    ("value", {"label_smoothing": 0.1}),
    ("gradient-prediction", {"label_smoothing": 0.1, "pos_weight": 3.7}),
    ("gradient-label", {"label_smoothing": 0.1}),
    ("second-derivative", {"label_smoothing": 0.1}),
    ("value", {"gamma": 2, "alpha": 0.25, "label_smoothing": 0.1}),
    ("gradient-prediction", {"gamma": 2, "alpha": 0.25, "label_smoothing": 0.1}),
)

#: The digest of every platform and NumPy version: only + - * /, frexp, ldexp and rint are used.
EXPECTED = "71abd6d184012c9a8199f0109568fc3e5fd3c0e4098a172ba34a7c72a7245cf6"

#: Predictions with special values added to the sample.
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan]


def digest(size=2000):
    """Return the SHA-256 of hi, lo, bound and scale of every form and quantity, with and without options."""
    state = hashlib.sha256()
    for form in reference.FORMS:
        random = np.random.RandomState(7)
        x = np.concatenate([samples.predictions(form, size, random), SPECIAL])
        y = np.where(random.random_sample(x.size) < 0.7, samples.labels_inside(x.size, random), 0.0)
        y = np.where(y == 0.0, samples.labels_outside(x.size, random), y)
        options = [{}, {"weight": 0.1, "pos_weight": 3.7}]
        if form == "probabilities":
            options += [{"log_clamp": -100.0}, {"epsilon": 1e-7}]
        for quantity in QUANTITIES:
            for option in options:
                _update(state, reference.FUNCTIONS[quantity](form, x, y, **option))
        for quantity, option in EXTENDED:
            _update(state, reference.FUNCTIONS[quantity](form, x, y, **option))
    return state.hexdigest()


def _update(state, result):
    for part in result:
        state.update(np.where(np.isnan(part), 0.0, part).astype("<f8").tobytes())


if __name__ == "__main__":
    found = digest()
    print(f"Python {platform.python_version()}, NumPy {np.__version__}: {found}")
    raise SystemExit(0 if found == EXPECTED else 1)
