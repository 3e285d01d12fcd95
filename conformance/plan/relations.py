"""Relations between losses that hold whatever their values: no oracle is needed, only exact inputs and a bound.

A relation gives each element of its case further *legs*, exact inputs derived from it, and states a linear inequality
between the results.  Relations hold between real numbers; computed results may miss them by the budgets of all legs,
each in ULP at the size of that leg's natural terms, and by nothing else: an element whose legs are not exact in a dtype
does not exist there.  Other relations compare with a *variant* of the same call.
Proofs: docs/theory.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from conformance.numbers.formats import Format, round_to_bits
from conformance.numbers.literals import float_of

HALF = Fraction(1, 2)

#: A statement holds where the sum of coefficient times result, plus the constant, is 0 ("equal"), is not negative
#: ("not-below"), or is not 0 ("differ"), each within the bound.
Sense = Literal["equal", "not-below", "differ"]


@dataclass(frozen=True)
class Leg:
    """Exact inputs of one of the results that a relation is about."""

    prediction: Fraction
    label: Fraction
    weight: Fraction = Fraction(1)


@dataclass(frozen=True)
class Statement:
    """coefficients·results + constant against 0, in the order of the legs."""

    coefficients: tuple[Fraction, ...]
    sense: Sense = "equal"
    constant: Fraction = Fraction(0)


@dataclass(frozen=True, kw_only=True)
class Relation:
    """`legs` derives the further legs from an element (form, leg), in the order of the statement's coefficients.

    `variants` names other calls with the same inputs (`worker.variants.VARIANTS`): the results of the last two calls
    must then be equal, element by element.
    """

    name: str
    claim: str
    legs: Callable[[str, Leg], dict[str, Leg]] = lambda form, leg: {}
    states: Callable[[Leg, dict[str, Leg]], Statement] = lambda leg, legs: Statement((Fraction(1),))
    quantity: str = "value"
    variants: tuple[str, ...] = ()

    @property
    def one_call(self) -> bool:
        """Whether its results are of one loss of one set of numbers, so that no contract makes them differ."""
        return bool(self.variants) and "counterpart" not in self.variants


def _mirror(form: str, leg: Leg) -> Fraction:
    return -leg.prediction if form == "logits" else 1 - leg.prediction


def _neutral(form: str) -> Fraction:
    """The prediction at which the label drops out: probability 1/2."""
    return Fraction(0) if form == "logits" else HALF


def _with(leg: Leg, prediction: Fraction | None = None, label: Fraction | None = None) -> Leg:
    return Leg(leg.prediction if prediction is None else prediction, leg.label if label is None else label, leg.weight)


def _complement(form: str, leg: Leg) -> dict[str, Leg]:
    return {"mirror": _with(leg, _mirror(form, leg), 1 - leg.label)}


def _hard_ends(form: str, leg: Leg) -> dict[str, Leg]:
    return {"y0": _with(leg, label=Fraction(0)), "y1": _with(leg, label=Fraction(1))}


def _floor(form: str, leg: Leg) -> dict[str, Leg]:
    return {"floor": _with(leg, leg.label)}


def _decomposition(form: str, leg: Leg) -> dict[str, Leg]:
    at_label = _with(leg, leg.label)
    own = {f"floor-{name}": one for name, one in _hard_ends(form, at_label).items()}
    return {"floor": at_label, **_hard_ends(form, leg), **own}


def _chord(form: str, leg: Leg) -> dict[str, Leg]:
    """The points at a half and at three quarters of the prediction: a chord of the loss and its middle."""
    return {"end": _with(leg, leg.prediction / 2), "middle": _with(leg, leg.prediction * 3 / 4)}


def _further(form: str, leg: Leg) -> dict[str, Leg]:
    """Further out, where a label above 1 makes the loss fall for ever: twice the logit, a quarter of 1 - p."""
    further = leg.prediction * 2 if form == "logits" else 1 - (1 - leg.prediction) / 4
    return {"further": _with(leg, further)}


def _falls(leg: Leg, legs: dict[str, Leg]) -> Statement:
    """For y = 2: L(2z) <= L(z) - z/2 (its slope is sigmoid(z) - 2 < -1), and L falls by log 4 - small > 1 for p."""
    logits = legs["further"].prediction == leg.prediction * 2
    return Statement((Fraction(1), Fraction(-1)), "not-below", -leg.prediction / 2 if logits else Fraction(-1))


ONE = Fraction(1)

#: By name.  Claims are printed; `L` is the loss, `y` the label, `p` a probability, `z` a logit, `x` either.
RELATIONS = {
    one.name: one
    for one in (
        Relation(
            name="complement",
            claim="L(p,y) = L(1-p,1-y), L(z,y) = L(-z,1-y)",
            legs=_complement,
            states=lambda leg, legs: Statement((ONE, -ONE)),
        ),
        Relation(
            name="affine",
            claim="L(x,y) = (1-y)·L(x,0) + y·L(x,1), whatever the label",
            legs=_hard_ends,
            states=lambda leg, legs: Statement((ONE, leg.label - 1, -leg.label)),
        ),
        Relation(
            name="half",
            claim="at p = 1/2 the label drops out: L(1/2,y) = L(1/2,0) = log 2",
            legs=lambda form, leg: {"y0": _with(leg, _neutral(form), Fraction(0))},
            states=lambda leg, legs: Statement((ONE, -ONE)),
        ),
        Relation(
            name="floor",
            claim="L(p,y) >= L(y,y) = H(y): the loss is least where the prediction is the label",
            legs=_floor,
            states=lambda leg, legs: Statement((ONE, -ONE), "not-below"),
        ),
        Relation(
            name="decomposition",
            claim="L(p,y) = H(y) + KL(y||p), each difference of logarithms taken by the loss at a hard label",
            legs=_decomposition,
            states=lambda leg, legs: Statement((ONE, -ONE, leg.label - 1, -leg.label, 1 - leg.label, leg.label)),
        ),
        Relation(
            name="asymmetry",
            claim="L(p,y) and L(y,p) differ: the two arguments cannot be exchanged",
            legs=lambda form, leg: {"exchanged": _with(leg, leg.label, leg.prediction)},
            states=lambda leg, legs: Statement((ONE, -ONE), "differ"),
        ),
        Relation(
            name="convexity",
            claim="the middle of a chord lies above the loss, for labels in [0,1]",
            legs=_chord,
            states=lambda leg, legs: Statement((HALF, HALF, -ONE), "not-below"),
        ),
        Relation(
            name="non-negative",
            claim="L >= 0 for labels in [0,1]",
            legs=lambda form, leg: {},
            states=lambda leg, legs: Statement((ONE,), "not-below"),
        ),
        Relation(
            name="unbounded",
            claim="for a label above 1 the loss is negative somewhere and falls for ever",
            legs=_further,
            states=_falls,
        ),
        Relation(
            name="gradient",
            claim="dL/dz = sigmoid(z) - y, with sigmoid(z) taken as the gradient at label 0",
            legs=lambda form, leg: {"y0": _with(leg, label=Fraction(0))},
            states=lambda leg, legs: Statement((ONE, -ONE), "equal", leg.label),
            quantity="gradient-prediction",
        ),
        Relation(
            name="scaled-weight",
            claim="twice the weight is twice the loss",
            legs=lambda form, leg: {"twice": Leg(leg.prediction, leg.label, 2 * leg.weight)},
            states=lambda leg, legs: Statement((Fraction(2), -ONE)),
        ),
        Relation(name="neutral-weight", claim="a weight or pos_weight of 1 is as good as none", variants=("absent",)),
        Relation(
            name="order",
            claim="an element's loss does not depend on where it stands in the batch",
            variants=("reversed",),
        ),
        Relation(name="forms", claim="a logit and its probability have the same loss", variants=("counterpart",)),
        Relation(
            name="sigmoid-output",
            claim="what a sigmoid layer produced has the loss of a copy of it",
            variants=("sigmoid", "sigmoid-copy"),
        ),
        Relation(
            name="softmax-output",
            claim="what a softmax layer produced has the loss of a copy of it",
            variants=("softmax", "softmax-copy"),
        ),
    )
}


def exact_in(leg: Leg, fmt: Format) -> bool:
    """Whether all inputs of a leg are numbers of `fmt`."""
    values = (leg.prediction, leg.label, leg.weight)
    return all(abs(one) <= fmt.largest and float_of(round_to_bits(one, fmt), fmt) == one for one in values)


def literal(value: Fraction) -> str:
    """A dyadic rational as a hexadecimal literal."""
    power = value.denominator.bit_length() - 1
    return f"{'-' if value < 0 else ''}0x{abs(value.numerator):x}p{-power}"
