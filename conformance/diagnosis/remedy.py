"""Remedies: for a formula that is to blame, others with the same mathematics that are not.

Whether two formulas are the same is computed, in real numbers at places of every kind; whether one is better too, by
the largest error of its emulation where nothing cancels in the mathematics itself.  What a remedy is worth in a
framework is measured (`conformance.sweep.remedied`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from conformance.diagnosis.guilty import Guilt
from conformance.formulas.arithmetic import EACH, Arithmetic, rounded
from conformance.formulas.catalogue import BY, Given, Options, candidates
from conformance.formulas.derivative import RULES, derivative
from conformance.formulas.evaluate import emulated
from conformance.formulas.exact import PartlyExact, exact
from conformance.formulas.expression import Expression
from conformance.formulas.real import error_in_ulp
from conformance.formulas.remedies import RIGHT
from conformance.numbers.formats import FORMATS, ulp

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """A formula in place of `today`, the one that is to blame.

    `differentiated`: `formula` is the loss, and `quantity` is its derivative by the framework's own differentiation;
    otherwise it gives the quantity itself.
    """

    name: str
    why: str
    form: str
    quantity: str
    options: Options
    today: Expression
    formula: Expression
    differentiated: bool

    def derived(self, rules: str) -> Expression:
        """The quantity under a framework's rules of differentiation."""
        if not self.differentiated:
            return self.formula
        return _derived(self.formula, self.quantity, self.options.given(self.form), rules)


#: How far two formulas may differ in relation: constants have 25 digits and more.
_SAME = Decimal("1e-20")
#: ULP that a right loss may err, as the suite's budgets; a formula within it needs no remedy.
BUDGET = 4.0
#: dtypes in which a remedy must not be worse.
DTYPES = ("float32", "float16", "bfloat16")
#: Of these rules a derivative must be right under each.
_RULES = ("torch", "tensorflow", "jax")


def remedies(expression: Expression, form: str, quantity: str, options: Options | None = None) -> tuple[Remedy, ...]:
    """Formulas with the mathematics of `expression`, which gives `quantity`, and with smaller errors.

    The loss comes first, since its derivatives come by themselves; none where nothing is better.
    """
    return tuple(one for one in _same_mathematics(expression, form, quantity, options or Options()) if _better(one))


def _same_mathematics(expression: Expression, form: str, quantity: str, options: Options) -> Iterator[Remedy]:
    given = options.given(form)
    for one in RIGHT:
        differentiated = one.quantity == "value" != quantity
        if one.form != form or not (differentiated or one.quantity == quantity):
            continue
        formula = one.build(given)
        if formula is None or _depends_on_nothing(given, quantity):
            continue
        remedy = Remedy(
            name=one.name,
            why=one.why,
            form=form,
            quantity=quantity,
            options=options,
            today=expression,
            formula=formula,
            differentiated=differentiated,
        )
        if same(expression, remedy.derived("plain"), form):
            yield remedy


class Domain(NamedTuple):
    """Where a remedy is the same mathematics: for `every_label` or those in [0, 1], with `weight` and `pos_weight`.

    An option is the formula with it, or None where today's formula has no such option or the remedy is another function
    under it.
    """

    every_label: bool
    weight: Expression | None
    pos_weight: Expression | None


def domain(remedy: Remedy, names: Sequence[str]) -> Domain:
    """Where a remedy of a formula that the catalogue calls `names` is the same mathematics, by trying it."""

    def under(options: Options) -> Expression | None:
        known = candidates(remedy.form, remedy.quantity, options)
        today = next((one.expression for one in known if one.name in names), None)
        if today is None:
            return None
        found = _same_mathematics(today, remedy.form, remedy.quantity, options)
        return next((one.formula for one in found if one.name == remedy.name), None)

    return Domain(
        every_label=same(remedy.today, remedy.derived("plain"), remedy.form, OUTSIDE),
        weight=under(Options(weight=True)),
        pos_weight=under(Options(pos_weight=True)),
    )


def cures(remedy: Remedy, guilt: Guilt) -> bool:
    """Whether the remedy is right for the input of a blame, in its arithmetic and under the rules of each framework."""
    of = guilt.evaluation
    return all(
        error_in_ulp(PartlyExact(of.steps.of(remedy.derived(rules)), of.inputs).result(), guilt.ideal, of.steps.result)
        <= guilt.allowed
        for rules in _RULES
    )


def _depends_on_nothing(given: Given, quantity: str) -> bool:
    return quantity in BY and getattr(given, BY[quantity]) is None


def _derived(loss: Expression, quantity: str, given: Given, rules: str) -> Expression:
    first = "gradient-prediction" if quantity == "second-derivative" else quantity
    name = str(getattr(given, BY[first]).name)
    found = derivative(loss, name, RULES[rules])
    return derivative(found, name, RULES[rules]) if quantity == "second-derivative" else found


#: Labels between and at the ends of [0, 1], and beyond both.
LABELS = (0.0, 1.0, 0.35, 0.75)
OUTSIDE = (-2.5, -0.25, 1.125, 3.0)


def same(x: Expression, y: Expression, form: str, labels: tuple[float, ...] = LABELS) -> bool:
    """Whether two formulas are one in real numbers, at each of some places at which both are numbers."""
    pairs = [(a, b) for a, b in zip(*(exact(one, _places(form, labels)) for one in (x, y)), strict=True)]
    numbers = [(a, b) for a, b in pairs if a.is_finite() and b.is_finite()]
    return bool(numbers) and all(abs(a - b) <= abs(a) * _SAME for a, b in numbers)


@cache
def _places(form: str, labels: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
    """Predictions of every kind, none where a formula bends, with labels and weights."""
    logits = (-120.0, -90.5, -30.25, -17.5, -3.25, -0.5, -1e-3, 1e-5, 0.3, 2.5, 9.75, 16.9, 40.5, 120.25)
    near = (2.0**-40, 1e-12, 6.5e-8, 2e-7, 1e-5, 1e-3, 0.1)
    probabilities = (*near, 0.3, 0.49, 0.51, 0.7, *(1 - one for one in near))
    x, y = zip(*product(logits if form == "logits" else probabilities, labels), strict=True)
    return {"z" if form == "logits" else "p": x, "y": y, "w": (0.625,) * len(x), "c": (2.75,) * len(x)}


# ------------------------------------------------------------------------------------------------------- errors


def _better(remedy: Remedy) -> bool:
    """Whether the largest error is smaller by half in one dtype, and in none larger and beyond the budget."""
    better = False
    for dtype in DTYPES:
        before = largest_error(remedy.today, remedy, dtype)
        after = max(largest_error(remedy.derived(rules), remedy, dtype) for rules in _RULES)
        if after > max(before, BUDGET):
            return False
        better = better or before > max(2 * after, BUDGET)
    return better


def largest_error(formula: Expression, remedy: Remedy, dtype: str) -> float:
    """The largest of `errors` that is a number: a lower bound, which chooses between formulas."""
    return float(np.max(np.nan_to_num(errors(formula, remedy, dtype)[2], nan=0.0, posinf=np.inf), initial=0.0))


def errors(formula: Expression, remedy: Remedy, dtype: str) -> tuple[dict[str, Floats], Floats, Floats]:
    """Inputs, the remedy in real numbers, and what the emulation of `formula`, each step in `dtype`, errs in ULP.

    Over predictions of every binade, with labels with which no term of the quantity cancels another.  Infinite where a
    number came out as NaN or infinite, NaN where none is right.
    """
    inputs, right = _grid(remedy.form, remedy.quantity, dtype, remedy.derived("plain"))
    arithmetic = Arithmetic(name=EACH, inputs=dtype, step=dtype, inside=dtype, result=dtype)
    got = np.broadcast_to(emulated(formula, inputs, arithmetic), right.shape)
    fmt = FORMATS[dtype]
    with np.errstate(all="ignore"):
        number = np.isfinite(rounded(right, fmt))
        error = np.where(np.isfinite(got), np.abs(got - right) / ulp(np.where(number, right, 1.0), fmt), np.inf)
    return inputs, right, np.where(number, error, np.nan)


@cache
def _grid(form: str, quantity: str, dtype: str, ideal: Expression) -> tuple[dict[str, Floats], Floats]:
    fmt = FORMATS[dtype]
    draw = np.random.default_rng(0)
    if form == "logits":
        magnitudes = np.geomspace(1e-4, 60, 60) * draw.uniform(0.9, 1.1, 60)
        x = np.concatenate([[0.0], magnitudes, -magnitudes])
    else:
        near = np.geomspace(2.0**-24, 0.5, 60) * draw.uniform(0.9, 1.1, 60)
        x = np.concatenate([[0.0, 1.0], near, 1 - near])
    x = np.unique(rounded(x, fmt))
    # The terms of values and second derivatives have one sign with any label, those of gradients with 0 and 1 only.
    soft = [0.3, 1 - 2 * fmt.unit_roundoff] if quantity in ("value", "second-derivative") else []
    y = np.repeat([0.0, 1.0, *rounded(np.array(soft), fmt)], x.size)
    x = np.tile(x, y.size // x.size)
    inputs = {"z" if form == "logits" else "p": x, "y": y, "w": np.full(y.size, 0.625), "c": np.full(y.size, 2.75)}
    return inputs, np.array([float(one) for one in exact(ideal, {name: of.tolist() for name, of in inputs.items()})])
