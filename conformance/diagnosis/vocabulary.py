"""Mechanisms: the closed list of what can happen at a guilty step, each with a meaning, its condition and links.

The links: D. Goldberg, What every computer scientist should know about floating-point arithmetic, 1991; N. J. Higham,
Accuracy and stability of numerical algorithms, 2nd edition, 2002; J.-M. Muller and others, Handbook of floating-point
arithmetic, 2nd edition, 2018; P. Panchekha and others, Automatically improving accuracy for floating point expressions
(Herbie), 2015; W. Kahan, Lecture notes on the status of IEEE standard 754, 1997.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

GOLDBERG = "https://docs.oracle.com/cd/E19957-01/806-3568/ncg_goldberg.html"
HIGHAM = "https://doi.org/10.1137/1.9780898718027"
HANDBOOK = "https://doi.org/10.1007/978-3-319-76526-6"
HERBIE = "https://doi.org/10.1145/2737924.2737959"
KAHAN = "https://people.eecs.berkeley.edu/~wkahan/ieee754status/IEEE754.PDF"


class Mechanism(Enum):
    """What happened; the order is from causes to consequences."""

    NARROWER_INTERMEDIATE = "narrower intermediate"
    FLUSHED = "flushed"
    CLIP_WITHOUT_EFFECT = "clip without effect"
    OVERFLOW = "overflow of an intermediate"
    ZERO_TIMES_INFINITY = "0·inf"
    INFINITY_MINUS_INFINITY = "inf - inf"
    DIVISION_BY_ZERO = "division by zero"
    SATURATED = "saturated"
    ABSORBED = "absorbed"
    CANCELLED = "cancelled"
    FOLDED_CONSTANT = "folded constant"
    REORDERED = "reordered or fused"
    REDUCTION_ORDER = "reduction order"
    DERIVATIVE_OF_BRANCH = "derivative of a clip, abs or where"
    UNDOCUMENTED_CLAMP = "undocumented clamp"
    MISSING_CHECK = "missing check"
    WRONG_TERM = "wrong term"
    UNIDENTIFIED = "unidentified"


@dataclass(frozen=True)
class Description:
    """Of a mechanism: what it means to a person, the condition that decides it, and where to read about it."""

    meaning: str
    condition: str
    links: tuple[str, ...]


DESCRIPTIONS: dict[Mechanism, Description] = {
    Mechanism.NARROWER_INTERMEDIATE: Description(
        "A step is kept in fewer bits than the result has.",
        "A guilty step has a narrower format than the result and without narrower ones half the error is gone.",
        (HIGHAM, HANDBOOK),
    ),
    Mechanism.FLUSHED: Description(
        "A number below the smallest normal one is replaced by zero, although the format has numbers there.",
        "A guilty step gives 0, and without flushing another number.",
        (KAHAN, HANDBOOK),
    ),
    Mechanism.CLIP_WITHOUT_EFFECT: Description(
        "The bound of a clip rounds to the end of the range that it should keep away from: 1 - eps is 1, eps is 0.",
        "A guilty step depends on constants alone, rounds to 0 or 1 and is not, and is compared with an input.",
        (GOLDBERG, HANDBOOK),
    ),
    Mechanism.OVERFLOW: Description(
        "An intermediate is too large for its format, although the result is not.",
        "A step that is a number exactly is an infinity as rounded.",
        (HIGHAM, HERBIE),
    ),
    Mechanism.ZERO_TIMES_INFINITY: Description(
        "A factor of zero meets an infinity, and the product, or a quotient of infinities, is NaN.",
        "The NaN starts at a product of 0 and infinity or at a quotient of two infinities.",
        (GOLDBERG, KAHAN),
    ),
    Mechanism.INFINITY_MINUS_INFINITY: Description(
        "Two infinities are subtracted, which is NaN.",
        "The NaN starts at a sum or a difference of infinities.",
        (GOLDBERG, KAHAN),
    ),
    Mechanism.DIVISION_BY_ZERO: Description(
        "A divisor is zero.",
        "The NaN or infinity starts at a quotient whose divisor is 0, or at a negative power of 0.",
        (GOLDBERG, KAHAN),
    ),
    Mechanism.SATURATED: Description(
        "A function reaches its limit, 0 or 1, before the exact one does: how far it is from there is lost.",
        "A guilty step other than a sum gives 0 or 1 and is not, or loses more than the budget of its distance to 1.",
        (HIGHAM, HERBIE),
    ),
    Mechanism.ABSORBED: Description(
        "A small number is added to a large one, and its last bits or all of them do not count: 1 + e = 1.",
        "A guilty sum or difference rounds off more than the budget, in ULP of the smaller operand.",
        (GOLDBERG, HIGHAM),
    ),
    Mechanism.CANCELLED: Description(
        "Two nearly equal numbers are subtracted: what is left consists of the rounding errors made before.",
        "After a guilty step a sum is smaller than its operands by more than twice the budget, and gets its error.",
        (GOLDBERG, HIGHAM, HERBIE),
    ),
    Mechanism.FOLDED_CONSTANT: Description(
        "A constant was computed beforehand and rounded; the formula needs it more exactly.",
        "A guilty step depends on constants alone.",
        (HANDBOOK,),
    ),
    Mechanism.REORDERED: Description(
        "The terms of a sum are added in an order, or by a fused multiply-add, that loses what another one keeps.",
        "A guilty step is part of a sum that in another order, as rounded, or without fusing gives a right result.",
        (GOLDBERG, HANDBOOK),
    ),
    Mechanism.REDUCTION_ORDER: Description(
        "The elements of a reduction are added in an order that loses what another one keeps.",
        "The same for a sum of terms that are the same formula of different inputs.",
        (HIGHAM,),
    ),
    Mechanism.DERIVATIVE_OF_BRANCH: Description(
        "The derivative of a clip, an absolute value or a choice is taken on the wrong side or at a jump.",
        "The exact derivative is wrong, and right with the other branch of a choice or another sign at 0.",
        (HANDBOOK,),
    ),
    Mechanism.UNDOCUMENTED_CLAMP: Description(
        "A value is limited, and the result is that of the limit.",
        "The exact formula is wrong, and right without a maximum or minimum with a constant.",
        (HERBIE,),
    ),
    Mechanism.MISSING_CHECK: Description(
        "A case that needs an answer of its own has none: 0*log(0), or an input that has no result.",
        "The exact formula is wrong, and right where a product with 0 is 0; or it gives a number where there is none.",
        (KAHAN,),
    ),
    Mechanism.WRONG_TERM: Description(
        "The formula is another function: a term is added, missing or wrong.",
        "The exact formula is wrong, and right without an epsilon or by another branch, or by no change that is known.",
        (HERBIE,),
    ),
    Mechanism.UNIDENTIFIED: Description("No mechanism is known.", "No condition holds.", ()),
}
