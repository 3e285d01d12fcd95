"""What a formula for the loss is made from, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from conformance.formulas.expression import COMPARISONS, Expression, cast, const, ordered, rebuilt, var


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a formula is made from: a prediction, a label, and the options that a case sets.

    `weight` and `pos_weight` are inputs; the parameters are numbers, which a framework folds in float64.
    """

    prediction: Expression
    label: Expression
    weight: Expression | None = None
    pos_weight: Expression | None = None
    gamma: str | None = None
    alpha: str | None = None
    label_smoothing: str | None = None
    #: What a loss is multiplied with last: 1/n of a mean.
    share: Expression | None = None

    @property
    def focal(self) -> bool:
        """Whether a focal parameter is set."""
        return self.gamma is not None or self.alpha is not None

    @property
    def smoothed(self) -> Expression:
        """The label, smoothed as Keras and TensorFlow do: y*(1 - s) + 0.5*s, both factors folded."""
        if self.label_smoothing is None:
            return self.label
        s = self.label_smoothing
        return self.label * const(f"1.0 - {s}") + const(f"0.5 * {s}")

    def weighted(self, x: Expression) -> Expression:
        """`x` times the weight and the share of a mean, if there are any."""
        x = x if self.weight is None else x * self.weight
        return x if self.share is None else x * self.share


Build = Callable[[Given], "Expression | None"]
#: A formula in prediction and label alone.
Plain = Callable[[Expression, Expression], Expression]


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A formula for the loss; `build` returns None for options that it does not have.

    `rules` are those by which it is differentiated, none where it is of functions that have no derivative; `own` are
    formulas for derivatives that a framework wrote by hand.
    """

    name: str
    form: str
    build: Build
    source: str
    rules: tuple[str, ...] = ("torch", "tensorflow", "jax")
    own: Mapping[str, tuple[Build, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidate:
    """A formula for one quantity under one set of options; of a reduction `of` is the name of that of each element."""

    name: str
    expression: Expression
    source: str
    of: str = ""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which options a set of points has: inputs by name, parameters by value.

    `beside` names the inputs whose dtype the prediction's does not hold, and for each what an operation on it alone
    gives: "step" where its dtype holds the prediction's, too, and else "other".  `narrower` names those whose dtype the
    prediction's holds, with it.

    A `reduction`, "mean" or "sum", is of `terms` elements, whose inputs are numbered: z0, y0, z1, y1.  A derivative of
    a mean is that of one of as many elements as `share` says.  `single`: either may be computed in float32, which is
    narrower.
    """

    weight: bool = False
    pos_weight: bool = False
    gamma: str | None = None
    alpha: str | None = None
    label_smoothing: str | None = None
    beside: tuple[tuple[str, str], ...] = ()
    narrower: tuple[tuple[str, str], ...] = ()
    reduction: str = ""
    terms: int = 0
    share: int = 0
    single: bool = False

    def given(self, form: str, number: str = "") -> Given:
        """The inputs as a formula sees them, those of an element by its number."""
        return Given(
            prediction=var(("z" if form == "logits" else "p") + number),
            label=var("y" + number),
            weight=var("w" + number) if self.weight else None,
            pos_weight=var("c" + number) if self.pos_weight else None,
            gamma=self.gamma,
            alpha=self.alpha,
            label_smoothing=self.label_smoothing,
        )


#: What has the dtype of its argument, or none; of a constant the others give a number of the dtype.
_SAME = COMPARISONS | {"neg", "abs", "sign"}


def promoted(x: Expression, beside: Mapping[str, str], prediction: str = "own") -> Expression:
    """`x` where an operation on inputs of one dtype gives that dtype, and on several the wider one, which is a step's.

    `beside` as in `Options`, or dtypes by name; the other inputs have the dtype `prediction`, "" for that of a step.
    """
    of: dict[Expression, frozenset[str]] = {}
    done: dict[Expression, Expression] = {}
    for node in ordered(x):
        own = {beside.get(str(node.name), prediction)} if node.op == "var" else set()
        of[node] = frozenset(own.union(*(of[one] for one in node.args)))
        done[node] = rebuilt(node, tuple(done[one] for one in node.args))
        if len(of[node]) == 1 and node.args and node.op not in _SAME:
            (dtype,) = of[node]
            if dtype:
                # What a formula casts to the dtype of its input has this one.
                done[node] = cast(dtype, done[node.args[0]] if node.op == "cast" else done[node])
    return done[x]


def plain(formula: Plain) -> Build:
    """A formula in prediction and label; a weight multiplies what it gives."""

    def built(given: Given) -> Expression | None:
        if given.pos_weight is not None or given.focal:
            return None
        return given.weighted(formula(given.prediction, given.smoothed))

    return built
