"""Confirming an error by Arb: the exact value at the input that a sweep names, at rising precision.

A sweep judges by plain float64; what it prints is computed here, in exact rationals from an enclosure of the value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from flint import arb, fmpq

import reference
from conformance.contracts import Contract
from conformance.errors import HarnessError
from conformance.judge.escalate import PRECISIONS, WANTED, exact, scale
from conformance.numbers.documented import Documented, documents_values
from conformance.numbers.formats import Format
from conformance.numbers.literals import float_of

#: How far the error that a sweep found by float64 may be from the one that Arb confirms: `expected.ILL_CONDITIONED`
#: leaves 2^-40 of the value to float64, which is 2^-16 ULP of float32, beside the rounding of the error itself.
AGREEMENT = 2.0**-14

#: How near a power of two a value is whose binade float64 does not tell: `expected.EDGE`.
EDGE = Fraction(1, 1 << 40)


@dataclass(frozen=True)
class Question:
    """What an error is about: form and quantity, the format of the results, dtype of the inputs, contract."""

    form: str
    quantity: str
    inputs: Format
    results: Format
    contract: Contract


@dataclass(frozen=True)
class Confirmed:
    """An error in ULP and the exact value, as hi + lo; `other` is the error in ULP of the binade that is next to it."""

    error: float
    hi: float
    lo: float
    other: float

    def off(self, found: float) -> float:
        """How far an error that was found is from this one, where float64 may have taken it for the other binade."""
        return min(abs(self.error - found), abs(self.other - found))


def confirm(question: Question, column: str, prediction: int, label: int, got: int, found: float) -> Confirmed:
    """The error of `got` in a column of `statistics.COLUMNS`; arguments are bit patterns.

    Raises HarnessError where it is not what the sweep `found`: one of the two is wrong.
    """
    p, y = float_of(prediction, question.inputs), float_of(label, question.inputs)
    result = float_of(got, question.results)
    candidates = [_error(question, column, p, y, result, value) for value in _values(question, column, p, y)]
    nearest = min(candidates, key=lambda one: one.off(found))
    if nearest.off(found) > AGREEMENT * max(1.0, found):
        raise HarnessError(
            f"the sweep found an error of {found!r} ULP and Arb one of {nearest.error!r}: {question.form}, "
            f"{question.quantity}, {question.results.name}, {column}, p {prediction:x}, y {label:x}, got {got:x}",
            "please report this: one of the two is wrong",
        )
    return nearest


def _values(question: Question, column: str, p: float, y: float) -> Iterator[tuple[float, float]]:
    """What the result may be held against, as hi + lo."""
    if column == "contract" and documents_values(question.form, question.contract):
        yield from _documented(question, p, y)
        return
    yield _ideal(question, p, y)
    if column == "flushed" and abs(p) < 2.0**question.inputs.emin:
        yield _ideal(question, 0.0, y)


def _ideal(question: Question, p: float, y: float) -> tuple[float, float]:
    if question.form == "logits" or 0.0 < p < 1.0:
        if (question.form, question.quantity) == ("probabilities", "gradient-prediction"):
            found = _enclosed(question.quantity, p, y, 0.0, None)  # a rational number, which is 0 at p = y
        else:
            found = exact(question.form, question.quantity, p, y, 1.0, 1.0)
        if found is None:
            raise HarnessError(f"Arb does not resolve {question.form} {question.quantity} at {p!r}, {y!r}")
        return found
    special = reference.FUNCTIONS[question.quantity](question.form, p, y)
    return float(special.hi), float(special.lo)


def _documented(question: Question, p: float, y: float) -> Iterator[tuple[float, float]]:
    said = Documented.by(question.contract, question.inputs.name)
    prediction = np.array(p)
    for interval in said.intervals:
        if question.quantity == "gradient-prediction" and interval.outside(prediction):
            yield 0.0, 0.0
            continue
        inside = float(interval.confined(prediction))
        shift, clamp = said.constants.get("epsilon", 0.0), said.constants.get("log_clamp")
        value = _enclosed(question.quantity, inside, y, shift, clamp)
        yield value if value is not None else _ideal(question, inside, y)


def _enclosed(quantity: str, p: float, y: float, epsilon: float, clamp: float | None) -> tuple[float, float] | None:
    """The value that an epsilon inside the logarithms and a clamp of them give; None where a term is infinite."""
    label = fmpq(*y.as_integer_ratio())
    terms = ((-label, fmpq(*p.as_integer_ratio())), (label - 1, 1 - fmpq(*p.as_integer_ratio())))
    before = flint.ctx.prec
    try:
        for precision in PRECISIONS:
            flint.ctx.prec = precision
            total = arb(0)
            slope = fmpq(0)
            for sign, (coefficient, inside) in zip((1, -1), terms, strict=True):
                shifted = inside + fmpq(*epsilon.as_integer_ratio())
                if coefficient == 0:
                    continue
                if shifted == 0 and clamp is None:
                    return None
                clamped = clamp is not None and (shifted == 0 or arb(shifted).log() < clamp)
                if quantity == "value":
                    total += coefficient * (arb(clamp) if clamped else arb(shifted).log())
                elif not clamped:
                    slope += sign * coefficient / shifted
            total += arb(slope)
            if (slope == 0 and quantity != "value") or total.is_exact() or total.rel_accuracy_bits() >= WANTED:
                hi = float(total.mid())
                return hi, float((total - arb(hi)).mid())
    finally:
        flint.ctx.prec = before
    return None


def _error(question: Question, column: str, p: float, y: float, got: float, value: tuple[float, float]) -> Confirmed:
    hi, lo = value
    if got == hi and lo == 0.0:
        return Confirmed(0.0, hi, lo, 0.0)
    if not np.isfinite([got, hi]).all():
        return Confirmed(float("inf"), hi, lo, float("inf"))
    exactly = Fraction(hi) + Fraction(lo)
    size = abs(exactly)
    one_sign = question.quantity == "value" and 0.0 <= y <= 1.0  # of both terms: they are the value
    two_terms = not one_sign and y not in (0.0, 1.0) and (question.form == "logits" or 0.0 < p < 1.0)
    if column == "scaled" and two_terms:
        large, small = scale(question.form, question.quantity, p, y)
        size = max(Fraction(large) + Fraction(small), size)
    distance = abs(Fraction(got) - exactly)
    error = float(distance / ulp(size, question.results))
    # Only here may the sweep be on the wrong side of a power of two: it knows the ideal's side.
    sides = (size * (1 + EDGE), size * (1 - EDGE)) if column in ("scaled", "contract") else ()
    others = [float(distance / ulp(side, question.results)) for side in sides]
    return Confirmed(error, hi, lo, max(others, key=lambda one: abs(one - error), default=error))


def ulp(size: Fraction, fmt: Format) -> Fraction:
    """2^(clamp(floor(log2 size), emin, emax) - (p - 1)) of an exact size."""
    exponent = fmt.emin
    if size:
        exponent = size.numerator.bit_length() - size.denominator.bit_length()
        exponent -= Fraction(2) ** exponent > size
        exponent = min(max(exponent, fmt.emin), fmt.emax)
    return Fraction(2) ** (exponent - fmt.fraction_bits)


def number(value: float) -> Any:
    """A float as JSON takes it: itself, or a word."""
    return value if np.isfinite(value) else str(value)
