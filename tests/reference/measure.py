"""Compare the reference with the oracle; prints the table of docs/reference.md.

python -m tests.reference.measure [--points N] [--seed S]
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import flint
import numpy as np
from flint import arb

import reference
from tests.reference import oracle, samples

QUANTITIES = ("value", "gradient-prediction", "gradient-label", "second-derivative")

#: Options measured, by form: none, both weights, and for probabilities what entry points put into the logarithm.
OPTIONS = {
    "logits": ({}, {"weight": 0.1, "pos_weight": 3.7}),
    "probabilities": ({}, {"weight": 0.1, "pos_weight": 3.7}, {"log_clamp": -100.0}, {"epsilon": 1e-7}),
}

#: Both weights, where they take part in everything.
WEIGHTS = {"weight": 0.1, "pos_weight": 3.7}

#: Gradients by the weights.
BY_WEIGHTS = [
    (form, quantity, options)
    for form in reference.FORMS
    for quantity in ("gradient-weight", "gradient-pos_weight")
    for options in OPTIONS[form]
]

#: Smoothed labels: a usual amount, all of it, and so little that 1 - s is no float64.
SMOOTHED = [
    (form, quantity, {"label_smoothing": smoothing, **weights})
    for form in reference.FORMS
    for quantity in (*QUANTITIES, "gradient-weight", "gradient-pos_weight")
    for smoothing, weights in ((0.1, {}), (0.1, WEIGHTS), (1.0, {}), (1e-20, {}))
]

#: Focal losses: alone, at both ends of gamma, and with everything at once.
FOCAL = [
    (form, quantity, options)
    for form in reference.FORMS
    for quantity in ("value", "gradient-prediction")
    for options in (
        {"gamma": 2},
        {"gamma": 0, "alpha": 0.25},
        {"gamma": 1, "alpha": 1.0},
        {"gamma": 8, "alpha": 0.25, **WEIGHTS},
        {"gamma": 2, "alpha": 0.25, "label_smoothing": 0.1},
    )
]

_NORMAL = 2.0**-1022


class Errors(NamedTuple):
    """Largest errors over a sample. Infinite where a value is missing, of the wrong class or beyond the bound."""

    #: Of hi, in ulp of float64, where the exact value is normal.
    normal: float
    #: Of hi, in ulp, where it is subnormal.
    subnormal: float
    #: Of hi + lo, in 2**-104 * scale, where neither is subnormal.
    law: float
    #: Of hi + lo, as a part of the bound.
    bound: float
    #: Of the scale, relative.
    scale: float
    #: Of hi, in ulp, beyond what the law with LAW allows.
    excess: float


#: Coefficient of the error law that `excess` uses.
LAW = 2.0


def measure(form, quantity, prediction, label, got=None, **options):
    """Return the errors of a reference (by default that for the arguments) over vectors; options may be vectors too."""
    if got is None:
        got = reference.FUNCTIONS[quantity](form, prediction, label, **options)
    columns = {name: np.broadcast_to(value, prediction.shape).tolist() for name, value in options.items()}
    rows = [
        _errors_of_one(form, quantity, arguments, values, {name: column[i] for name, column in columns.items()})
        for i, (arguments, values) in enumerate(
            zip(
                zip(prediction.tolist(), label.tolist(), strict=True),
                zip(*[part.tolist() for part in got], strict=True),
                strict=True,
            )
        )
    ]
    return Errors(*np.max(np.array(rows), axis=0).tolist())


def _errors_of_one(form, quantity, arguments, values, options):
    hi, lo, bound, scale = values
    value = oracle.exact(form, quantity, *arguments, **options)
    if np.isnan(hi):
        return Errors(*[np.inf] * 6)
    ulps = oracle.ulp_error(hi, value)
    flint.ctx.prec = 256
    if np.isinf(hi):
        return Errors(normal=ulps, subnormal=0.0, law=0.0, bound=0.0, scale=0.0, excess=ulps)
    error = abs(value - arb(hi) - arb(lo))
    within = _ratio(error, arb(bound))
    true_scale = oracle.natural_scale(form, quantity, *arguments, **options)
    flint.ctx.prec = 256
    scale_error = _ratio(abs(min(true_scale, arb(samples.LARGEST)) - arb(scale)), true_scale)
    if abs(value) < _NORMAL:
        return Errors(
            normal=0.0, subnormal=ulps, law=0.0, bound=within, scale=0.0 if scale < _NORMAL else scale_error, excess=0.0
        )
    law = 0.0 if min(abs(hi), scale) < 1e-290 else _ratio(error, true_scale * arb(2) ** -104)
    allowed = LAW * oracle.scaled_float(true_scale, -104 - oracle.unit_exponent(value))
    return Errors(
        normal=ulps,
        subnormal=0.0,
        law=law,
        bound=within,
        scale=0.0 if scale < _NORMAL else scale_error,
        excess=ulps - allowed,
    )


def _ratio(x, y):
    """Return x / y as a float; 0 for 0 / 0."""
    if x == 0:
        return 0.0
    return float((x / y).mid()) if y != 0 else np.inf


def main():
    """Print the largest errors for every form, quantity, kind of label and option."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    random = np.random.RandomState(arguments.seed)
    print(
        "| form | quantity | labels | options | hi, ulp | beyond law | subnormal, ulp | law | part of bound | scale |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    plain = [(form, quantity, option) for form in OPTIONS for quantity in QUANTITIES for option in OPTIONS[form]]
    for form, quantity, options in plain + BY_WEIGHTS + SMOOTHED + FOCAL:
        for kind, labels in (("inside", samples.labels_inside), ("outside", samples.labels_outside)):
            x = samples.predictions(form, arguments.points, random)
            errors = measure(form, quantity, x, labels(x.size, random), **options)
            cells = "{:.4g} | {:.4f} | {:.4f} | {:.2f} | {:.2f} | {:.1e}".format(
                errors.normal, errors.excess, *errors[1:5]
            )
            named = ", ".join("{} {}".format(*item) for item in sorted(options.items())) or "none"
            print(f"| {form} | {quantity} | {kind} | {named} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
