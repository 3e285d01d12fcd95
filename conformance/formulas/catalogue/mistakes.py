"""Formulas that are not the loss: a term, a factor or a label is another one, as people wrote it or might.

All but one step of each is the loss by its natural terms, what a label of 1 costs times y and what a label of 0 costs
times 1 - y, where a factor of 0 makes an infinite term 0.  Derivatives are written by hand, term by term.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from conformance.formulas.catalogue import sources
from conformance.formulas.catalogue.loss import Build, Given, Loss
from conformance.formulas.catalogue.probabilities import EPSILON, LARGEST_FLOAT32, ONE_LESS_EPSILON
from conformance.formulas.expression import (
    Expression,
    absolute,
    as_expression,
    clip,
    const,
    eq,
    exp,
    ge,
    le,
    log,
    log1p,
    minimum,
    where,
)
from conformance.formulas.library import SIGMOID_STABLE, SOFTPLUS, SOFTPLUS_LOG1P

#: Something of a label of 1, and of a label of 0.
Pair = tuple[Expression, Expression]
Step = Callable[[Expression], Expression]
Terms = Callable[[Expression], Pair]
Factors = Callable[[Given, Expression], Pair]

_NAN = const("nan")
_VALUE, _SLOPE, _CURVATURE = "value", "gradient-prediction", "second-derivative"


def _unless_nan(x: Expression, result: Expression | float) -> Expression:
    return where(eq(x, x), result, x)


def _times(factor: Expression, term: Expression) -> Expression:
    """Their product, 0 where the factor is 0 and the term no NaN, as xlogy's."""
    return where(eq(factor, 0), _unless_nan(term, 0), factor * term)


def _inside(p: Expression) -> Expression:
    """The probability, NaN where it is none."""
    return where(ge(p, 0), where(le(p, 1), p, _NAN), _NAN)


def _softplus(z: Expression) -> Pair:
    return SOFTPLUS(-z), SOFTPLUS(z)


def _logarithms(p: Expression) -> Pair:
    return -log(p), -log1p(-p)


def _sigmoids(z: Expression) -> Pair:
    return -SIGMOID_STABLE(-z), SIGMOID_STABLE(z)


def _reciprocals(p: Expression) -> Pair:
    p = _inside(p)
    return -(1 / absolute(p)), 1 / (1 - p)


def _sigmoids_product(z: Expression) -> Pair:
    both = SIGMOID_STABLE(z) * SIGMOID_STABLE(-z)
    return both, both


def _squared_reciprocals(p: Expression) -> Pair:
    p = _inside(p)
    rest = 1 - p
    return 1 / (p * p), 1 / (rest * rest)


_TERMS: dict[str, dict[str, Terms]] = {
    "logits": {_VALUE: _softplus, _SLOPE: _sigmoids, _CURVATURE: _sigmoids_product},
    "probabilities": {_VALUE: _logarithms, _SLOPE: _reciprocals, _CURVATURE: _squared_reciprocals},
}


def _weighted(x: Expression, *weights: Expression | None) -> Expression:
    for weight in weights:
        x = x if weight is None else weight * x
    return x


def _factors(given: Given, y: Expression) -> Pair:
    return _weighted(y, given.pos_weight, given.weight), _weighted(1 - y, given.weight)


def _same(x: Expression) -> Expression:
    return x


def _smoothed(given: Given) -> Expression:
    return given.smoothed


def _of_value(value: Expression, y: Expression) -> Expression:
    return value


@dataclass(frozen=True, kw_only=True)
class _Natural:
    """The natural terms of a form with one step changed, of one of both forms or of both."""

    label: Step = _same
    smoothed: Callable[[Given], Expression] = _smoothed
    prediction: Step = _same
    factors: Factors = _factors
    #: In place of those of the form.
    terms: Terms | None = None
    #: What becomes of the value.
    result: Callable[[Expression, Expression], Expression] = _of_value

    def of(self, form: str, quantity: str) -> Build:
        """The formula for a quantity."""
        terms = self.terms if self.terms is not None and quantity == _VALUE else _TERMS[form][quantity]

        def built(given: Given) -> Expression | None:
            if given.focal or (given.pos_weight is not None and form != "logits"):
                return None
            y = self.label(self.smoothed(given))
            (a, b), (positive, negative) = self.factors(given, y), terms(self.prediction(given.prediction))
            found = _times(a, positive) + _times(b, negative)
            found = self.result(found, y) if quantity == _VALUE else found
            return found if given.share is None else found * given.share

        return built


def _mistake(name: str, form: str, source: str, natural: _Natural) -> Loss:
    derivatives = natural.terms is None and natural.prediction is _same
    own = {quantity: (natural.of(form, quantity),) for quantity in (_SLOPE, _CURVATURE)} if derivatives else {}
    return Loss(name=name, form=form, build=natural.of(form, _VALUE), source=source, rules=(), own=own)


def _both(name: str, source: str, natural: _Natural) -> tuple[Loss, ...]:
    return tuple(_mistake(name, form, source, natural) for form in _TERMS)


def _no_weight(given: Given, y: Expression) -> Pair:
    return _factors(replace(given, weight=None), y)


def _weight_twice(given: Given, y: Expression) -> Pair:
    a, b = _factors(given, y)
    return _weighted(a, given.weight), _weighted(b, given.weight)


def _weight_of_one(given: Given, y: Expression) -> Pair:
    return _weighted(y, given.pos_weight, given.weight), 1 - y


def _pos_weight_of_both(given: Given, y: Expression) -> Pair:
    a, b = _factors(given, y)
    return a, _weighted(b, given.pos_weight)


def _pos_weight_of_other(given: Given, y: Expression) -> Pair:
    return _weighted(y, given.weight), _weighted(1 - y, given.pos_weight, given.weight)


def _smoothed_by_one_class(given: Given) -> Expression:
    """y*(1 - s) + s/n of n classes, where the one column of a binary label is taken for the only class."""
    s = given.label_smoothing
    return given.label if s is None else given.label * const(f"1.0 - {s}") + const(s)


def _exchanged(given: Given) -> Expression | None:
    if given.focal or given.pos_weight is not None:
        return None
    p, (positive, negative) = given.prediction, _logarithms(given.smoothed)
    return given.weighted(_times(p, positive) + _times(1 - p, negative))


def _own(
    name: str, form: str, source: str, quantity: str, formula: Callable[[Expression, Expression], Expression]
) -> Loss:
    """A derivative that is none of the loss, whose value is right."""

    def built(given: Given) -> Expression | None:
        if given.focal or given.pos_weight is not None:
            return None
        return given.weighted(formula(given.prediction, given.smoothed))

    return Loss(
        name=name, form=form, build=_Natural().of(form, _VALUE), source=source, rules=(), own={quantity: (built,)}
    )


def _bounded(p: Expression) -> Expression:
    """fmin(fmax(p, 1e-7), 1 - 1e-7): a comparison with NaN is false."""
    above = where(ge(p, EPSILON), p, EPSILON)
    return where(le(above, ONE_LESS_EPSILON), above, ONE_LESS_EPSILON)


#: log(2), as Python gives it.
_LN2 = "0.6931471805599453"

#: The loss, with no mistake.
NATURAL: tuple[Loss, ...] = (*_both("natural terms", sources.XLOGY, _Natural()),)

MISTAKES: tuple[Loss, ...] = (
    *_both("labels not outside [0, 1]", sources.QUESTION, _Natural(label=lambda y: clip(y, 0, 1))),
    *_both("a label NaN is 0", sources.NAN_TO_NUM, _Natural(label=lambda y: where(eq(y, y), y, 0))),
    *_both("0 where the label is NaN", sources.NAN_TO_NUM, _Natural(result=lambda value, y: where(eq(y, y), value, 0))),
    *_both(
        "0 where the loss is NaN",
        sources.NAN_TO_NUM,
        _Natural(result=lambda value, y: where(eq(value, value), value, 0)),
    ),
    *_both("no weight", sources.NO_WEIGHT, _Natural(factors=_no_weight)),
    *_both("weight twice", sources.WEIGHT_TWICE, _Natural(factors=_weight_twice)),
    *_both("weight of label 1 alone", sources.WEIGHT_OF_ONE, _Natural(factors=_weight_of_one)),
    _mistake("pos_weight of both labels", "logits", sources.WEIGHT_OF_BOTH, _Natural(factors=_pos_weight_of_both)),
    _mistake("pos_weight of label 0", "logits", sources.WEIGHT_OF_OTHER, _Natural(factors=_pos_weight_of_other)),
    *_both("smoothed by s", sources.KERAS_LOSSES, _Natural(smoothed=_smoothed_by_one_class)),
    *_both(
        "at most 100",
        sources.AT_MOST_HUNDRED,
        _Natural(result=lambda value, y: _unless_nan(value, minimum(value, 100))),
    ),
    *_both(
        "not above the largest float32",
        sources.CLAMP,
        _Natural(result=lambda value, y: _unless_nan(value, minimum(value, LARGEST_FLOAT32))),
    ),
    _mistake(
        "y*log1p(exp(-z)) + (1 - y)*log1p(exp(z)), 0 times infinity is 0",
        "logits",
        sources.TEXTBOOK,
        _Natural(terms=lambda z: (SOFTPLUS_LOG1P(-z), SOFTPLUS_LOG1P(z))),
    ),
    _mistake(
        "predictions not outside [0, 1]", "probabilities", sources.CLAMP, _Natural(prediction=lambda p: clip(p, 0, 1))
    ),
    _mistake("clip by 1e-7, NaN is the bound", "probabilities", sources.FMIN, _Natural(prediction=_bounded)),
    _mistake(
        "clip by 1e-7, natural terms",
        "probabilities",
        sources.KERAS_LOSSES,
        _Natural(prediction=lambda p: clip(p, EPSILON, ONE_LESS_EPSILON)),
    ),
    _mistake(
        "binary logarithms",
        "probabilities",
        sources.TEXTBOOK,
        _Natural(terms=lambda p: (-log(p) / const(_LN2), -log1p(-p) / const(_LN2))),
    ),
    Loss(
        name="prediction and label exchanged", form="probabilities", build=_exchanged, source=sources.QUESTION, rules=()
    ),
    _mistake(
        "less the entropy of the label",
        "probabilities",
        sources.REL_ENTR,
        _Natural(result=lambda value, y: value + (_times(y, log(y)) + _times(1 - y, log1p(-y)))),
    ),
    _own(
        "labels are constants",
        "probabilities",
        sources.CONSTANT_LABELS,
        "gradient-label",
        lambda p, y: as_expression(0),
    ),
    _own(
        "(p - y)/(p*(1 - p)) inside [0, 1]",
        "probabilities",
        sources.TEXTBOOK,
        _SLOPE,
        lambda p, y: (_inside(p) - y) / (_inside(p) * (1 - _inside(p))),
    ),
    _own(
        "exp(z)/(1 + exp(z))",
        "logits",
        sources.TEXTBOOK,
        _SLOPE,
        lambda z, y: _times(y, -(1 / (1 + exp(z)))) + _times(1 - y, exp(z) / (1 + exp(z))),
    ),
)
