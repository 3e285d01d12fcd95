"""The quantities: what is asked of an implementation, judged, reported and counted, one by one.

Everything that differs from one quantity to another and is no function stands here.  Functions are attached where they
live, in tables by the names of this one: `reference.FUNCTIONS`, and the judges'.

Worker-side code: standard library only, Python 3.7 on.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Tuple

#: The loss and its derivatives, as the reference calls them; its names are not imported: a worker does without it.
VALUE = "value"
GRADIENT_PREDICTION = "gradient-prediction"
GRADIENT_LABEL = "gradient-label"
GRADIENT_WEIGHT = "gradient-weight"
GRADIENT_POS_WEIGHT = "gradient-pos_weight"
SECOND_DERIVATIVE = "second-derivative"

#: How the value came back: accepted or not, in what dtype and shape, whether the inputs stayed, and the same again.
ACCEPTANCE = "acceptance"
RESULT_DTYPE = "result-dtype"
RESULT_SHAPE = "result-shape"
INPUTS_UNCHANGED = "inputs-unchanged"
REPEATABLE = "repeatable"

#: Whether an execution mode does what the entry point does when it is called plainly.
AGREEMENT = "agreement"

#: The quantity of a reduced case: is the result the sum or mean of the implementation's own unreduced results?
REDUCTION = "reduction"

#: The quantity of a case with a relation.
RELATION = "relation"

#: The quantity of a probe case: does the contract's field show?
PROBE = "contract"

#: The call of a reduced case without its reduction, which is no quantity.
UNREDUCED = "unreduced"

#: Kinds of quantities: numbers that the reference computes, and how the value came back.  Others are their own kind.
NUMBER, MANNER = "number", "manner"

#: Place in a summary of what has none of its own.
LAST = 99


class Quantity(NamedTuple):
    """One quantity; a kind has one judge (`judge.judge`).

    `calls` are what a worker is asked for: a derivative, the value, or the call unreduced; a relation has its own.
    `variable` is the argument that a derivative is by.  Where `own_cause` is True a finding is about this quantity
    whatever went wrong.  `order` is its place in a summary.
    """

    name: str
    kind: str
    calls: Tuple[str, ...] = (VALUE,)
    variable: str = ""
    own_cause: bool = False
    order: int = LAST


QUANTITIES: Dict[str, Quantity] = {
    one.name: one
    for one in (
        Quantity(VALUE, NUMBER, order=1),
        Quantity(GRADIENT_PREDICTION, NUMBER, (GRADIENT_PREDICTION,), "prediction", order=6),
        Quantity(GRADIENT_LABEL, NUMBER, (GRADIENT_LABEL,), "label", order=7),
        Quantity(GRADIENT_WEIGHT, NUMBER, (GRADIENT_WEIGHT,), "weight", order=8),
        Quantity(GRADIENT_POS_WEIGHT, NUMBER, (GRADIENT_POS_WEIGHT,), "pos_weight", order=9),
        Quantity(SECOND_DERIVATIVE, NUMBER, (SECOND_DERIVATIVE,), "prediction", order=10),
        Quantity(ACCEPTANCE, MANNER, order=0),
        Quantity(RESULT_DTYPE, MANNER, order=3),
        Quantity(RESULT_SHAPE, MANNER, order=4),
        Quantity(INPUTS_UNCHANGED, MANNER, order=5),
        Quantity(REPEATABLE, MANNER),
        Quantity(AGREEMENT, AGREEMENT, own_cause=True),
        Quantity(REDUCTION, REDUCTION, (VALUE, UNREDUCED)),
        Quantity(RELATION, RELATION, (), own_cause=True),
        Quantity(PROBE, PROBE, order=2),
    )
}


def of_kind(kind: str) -> Tuple[str, ...]:
    """The names of the quantities of a kind, in their order."""
    return tuple(one.name for one in QUANTITIES.values() if one.kind == kind)


#: Numbers, in the order in which they are computed.
NUMERIC = of_kind(NUMBER)

#: What a worker can be asked for beside the variants of a relation, in the order in which it is called.
CALLS = (*NUMERIC, UNREDUCED)

#: Quantities that describe how the value came back; they need the value's call and no other.
BEHAVIOUR = of_kind(MANNER)
