"""What a reader can need of an implementation, and which elements of a run are the evidence.

The vocabulary is closed: a need is there only if checks can back it.  A need is about inputs (`soft-labels`), or about
how they are computed (`float16`, `gradients`, `compile`).  One rule joins them: what is said about the how is judged on
the main families and, besides, on all inputs that are stated.  So a need more never admits what fewer excluded; only
dtype and mode are assumptions, float32 and the plain call, which a stated dtype and `compile` replace.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from conformance.adapters import ALL_DTYPES
from conformance.adapters.declaration import BASE_MODE
from conformance.errors import InputError, did_you_mean
from conformance.judge.verdicts import VERDICTS
from conformance.numbers.formats import FORMATS
from conformance.quantities import AGREEMENT, PROBE, QUANTITIES, REDUCTION, RELATION
from conformance.record.kinds import NARROW
from conformance.record.record import CheckLine, InputsLine

#: The families of inputs that every binary cross-entropy meets in training and testing.
MAIN = ("hard-labels", "soft-labels", "extreme-predictions")

#: The dtype that is meant where none is stated: what the frameworks compute in by default.
ASSUMED = ("float32",)

#: The dtype that is meant under automatic mixed precision: what torch.autocast casts to on a CPU, and JAX's policies.
MIXED = ("bfloat16",)

#: Verdicts of a check that is as exact mathematics, a documented contract or a documented check has it.
RIGHT = frozenset({"conforms", "by-contract", "rejects"})

#: `recorded` is given where nothing is expected: it is no evidence.
SILENT = frozenset({"recorded"})

#: Whether a need is about these inputs.
Takes = Callable[[InputsLine], bool]


@dataclass(frozen=True, kw_only=True)
class Need:
    """A word of the vocabulary.

    `inputs` says which inputs it states, None that it is about the main families and what other needs state.  Of these
    the checks of `quantities` are the evidence, in `dtype` or, without one, in the stated dtypes.  A check meets the
    need if all its verdicts are in `passes` and its prediction has the `form`, if there is one.  `compiled` needs a
    mode that its runtime declares to be one; `amp` looks at the dtype that automatic mixed precision computes in;
    `everywhere` is a need about all inputs, which states none for others.
    """

    name: str
    meaning: str
    inputs: Takes | None = None
    quantities: tuple[str, ...] = ("value",)
    passes: frozenset[str] = RIGHT
    dtype: str = ""
    form: str = ""
    compiled: bool = False
    amp: bool = False
    everywhere: bool = False

    @property
    def accurate(self) -> bool:
        """Whether it is about right numbers, so that the errors of its evidence count in the order."""
        return self.passes <= RIGHT and not self.everywhere


def verdicts(check: CheckLine) -> frozenset[str]:
    """The verdicts of a check's elements that say anything; none where nothing was expected."""
    return frozenset(check.verdicts or (check.verdict,)) - SILENT


def _family(*names: str) -> Takes:
    return lambda line: line.family in names


def _flag(name: str) -> Takes:
    return lambda line: name in line.flags


def _option(name: str) -> Takes:
    """An option of the shape and dtype of the prediction, in losses that are not reduced: of these there are needs."""
    return lambda line: name in line.inputs and line.family != "shapes" and not line.dtypes and line.reduction == "none"


def _reduced(how: str) -> Takes:
    return lambda line: line.family == "reductions" and line.reduction == how


def _integers(line: InputsLine) -> bool:
    return line.dtypes.get("label", line.dtype) not in FORMATS


_LABELS_OUTSIDE = _family("out-of-range-labels")
_ACCEPTED = RIGHT - {"rejects"}
_ALL = frozenset(VERDICTS)

VOCABULARY = (
    Need(name="hard-labels", meaning="right values for labels that are exactly 0 or 1", inputs=_family("hard-labels")),
    Need(name="soft-labels", meaning="right values for labels strictly between 0 and 1", inputs=_family("soft-labels")),
    Need(
        name="extreme-predictions",
        meaning="right values at, and next to, predictions that are certain: probabilities 0 and 1, large logits",
        inputs=_family("extreme-predictions"),
    ),
    Need(
        name="special-values",
        meaning="infinities, NaN and -0 are treated as mathematics has it",
        inputs=_family("special-values"),
    ),
    Need(
        name="out-of-range=reject",
        meaning="a label outside [0, 1] raises, whatever the prediction is",
        inputs=_LABELS_OUTSIDE,
        quantities=("acceptance",),
        passes=frozenset({"rejects"}),
    ),
    Need(
        name="out-of-range=accept",
        meaning="a label outside [0, 1] never raises; its value is not judged",
        inputs=_LABELS_OUTSIDE,
        quantities=("acceptance",),
        passes=_ACCEPTED,
    ),
    Need(
        name="out-of-range=value",
        meaning="a label outside [0, 1] gives the value of the formula",
        inputs=_LABELS_OUTSIDE,
        passes=_ACCEPTED,
    ),
    Need(name="weight", meaning="right values with a weight for each element", inputs=_option("weight")),
    Need(name="pos_weight", meaning="right values with a weight of the positive term", inputs=_option("pos_weight")),
    Need(
        name="label-smoothing",
        meaning="right values of the loss that smooths its labels",
        inputs=_flag("label-smoothing"),
    ),
    Need(name="focal", meaning="right values of the focal loss", inputs=_flag("focal")),
    Need(
        name="reduction=mean",
        meaning="the mean is right, and that of the own losses",
        inputs=_reduced("mean"),
        quantities=("value", REDUCTION),
    ),
    Need(
        name="reduction=sum",
        meaning="the sum is right, and that of the own losses",
        inputs=_reduced("sum"),
        quantities=("value", REDUCTION),
    ),
    Need(
        name="shapes",
        meaning="right values and shapes for tensors of other sizes, ranks and memory layouts",
        inputs=_family("shapes"),
        quantities=("value", "result-shape"),
    ),
    Need(name="integer-labels", meaning="right values for labels of an integer type or bool", inputs=_integers),
    Need(
        name="relations",
        meaning="what must hold between losses holds",
        inputs=_family("relations"),
        quantities=(RELATION,),
    ),
    *(
        Need(name=name, meaning=f"right values in {name}: main families and what is stated", dtype=name)
        for name in ALL_DTYPES
    ),
    Need(name="gradients", meaning="right gradients by the prediction", quantities=("gradient-prediction",)),
    Need(name="gradients-label", meaning="right gradients by the label", quantities=("gradient-label",)),
    Need(
        name="second-derivative",
        meaning="right second derivatives by the prediction",
        quantities=("second-derivative",),
    ),
    Need(
        name="compile",
        meaning=f"right values in a mode that makes a program of the call, and the same as {BASE_MODE}",
        quantities=("value", AGREEMENT),
        compiled=True,
    ),
    Need(
        name="amp",
        meaning="right values under automatic mixed precision, in the dtype that it computes the loss in",
        amp=True,
    ),
    Need(
        name="ideal",
        meaning="values as exact mathematics has them: no contract excuses another",
        passes=RIGHT - {"by-contract"},
    ),
    Need(name="probabilities", meaning="the prediction is a probability, and values are right", form="probabilities"),
    Need(name="logits", meaning="the prediction is a logit, and values are right", form="logits"),
    Need(name="documented", meaning="what the documentation promises shows", everywhere=True, quantities=(PROBE,)),
    Need(
        name="result-dtype",
        meaning="the result has the dtype that is due",
        everywhere=True,
        quantities=("result-dtype",),
    ),
    Need(
        name="repeatable",
        meaning="the same call gives the same bits again",
        everywhere=True,
        quantities=("repeatable",),
    ),
    Need(
        name="inputs-unchanged",
        meaning="the call leaves its inputs as they are",
        everywhere=True,
        quantities=("inputs-unchanged",),
    ),
    Need(
        name="no-crash",
        meaning="no call ends the process or hangs, whatever else it does",
        quantities=tuple(QUANTITIES),
        passes=_ALL - {"crashed", "timed-out"},
        everywhere=True,
    ),
)

BY_NAME = {need.name: need for need in VOCABULARY}


@dataclass(frozen=True, kw_only=True)
class Autocast:
    """What automatic mixed precision does with an entry point: in a few words, as documented, and linked.

    `computes` is the dtype that the loss is computed in whatever narrower one it is given, "" where that is the one
    given; `raises` says that some device refuses the call.  `seen` is the dtype of the result that a run on a CPU gave
    for predictions in bfloat16.
    """

    word: str
    does: str
    quote: str
    url: str
    seen: str
    computes: str = ""
    raises: bool = False


@cache
def _mixed() -> dict[str, Any]:
    """`autocast.toml`."""
    return tomllib.loads(Path(__file__).with_name("autocast.toml").read_text(encoding="utf-8"))


@cache
def autocasts() -> dict[str, Autocast]:
    """What is documented, by backend or backend/entry."""
    return {family: Autocast(**part["is"]) for part in _mixed()["mixed"] for family in part["of"]}


def mixed_mode() -> str:
    """The mode of implementations that a run called under automatic mixed precision."""
    return str(_mixed()["mode"])


def autocast_of(family: str) -> Autocast | None:
    """What is documented of backend/entry, or else of its backend; None where nothing is said."""
    return autocasts().get(family) or autocasts().get(family.partition("/")[0])


@dataclass(frozen=True)
class Stated:
    """The needs of one reader, and what they mean together."""

    needs: tuple[Need, ...]
    assumed: tuple[str, ...] = ASSUMED

    @cached_property
    def dtypes(self) -> tuple[str, ...]:
        """The stated dtypes, or the one that is assumed."""
        return tuple(need.dtype for need in self.needs if need.dtype) or self.assumed

    @cached_property
    def inputs(self) -> tuple[Takes, ...]:
        """Which inputs are stated."""
        return tuple(need.inputs for need in self.needs if need.inputs is not None)

    @property
    def compiled(self) -> bool:
        """Whether a compiled mode is needed."""
        return any(need.compiled for need in self.needs)

    @property
    def amp(self) -> bool:
        """Whether the loss is called under automatic mixed precision."""
        return any(need.amp for need in self.needs)

    def computed_in(self, dtype: str) -> Stated:
        """The same needs where a loss computes in `dtype` whatever narrower one it is given."""
        needs = tuple(replace(need, dtype=dtype) if need.dtype in NARROW else need for need in self.needs)
        return Stated(needs, tuple(dtype if one in NARROW else one for one in self.assumed))

    def about(self, line: InputsLine) -> bool:
        """Whether inputs are of the main families or stated."""
        return line.family in MAIN or any(takes(line) for takes in self.inputs)

    def is_evidence(self, need: Need, check: CheckLine, line: InputsLine) -> bool:
        """Whether a check says something about one of the needs."""
        if check.quantity not in need.quantities or not verdicts(check):
            return False
        if check.dtype != need.dtype if need.dtype else check.dtype not in self.dtypes:
            return False
        if need.everywhere:
            return True
        return need.inputs(line) if need.inputs is not None else self.about(line)


def parse(words: Sequence[str]) -> Stated:
    """The needs that `--need` names, each option a list with commas.  Raises InputError for a word that is none."""
    names = list(dict.fromkeys(name.strip() for text in words for name in text.split(",") if name.strip()))
    if not names:
        raise InputError(
            "--need must name what is needed",
            "such as --need soft-labels,bfloat16,gradients; `bce-conformance choose --list-needs` prints the needs",
        )
    for name in names:
        if name not in BY_NAME:
            known = [one for one in BY_NAME if one.startswith(f"{name.partition('=')[0]}=")]
            hint = f"write {' or '.join(known)}" if known else did_you_mean(name, list(BY_NAME))
            raise InputError(f"--need must name needs of `choose --list-needs` (got {name!r})", hint)
    needs = tuple(BY_NAME[name] for name in names)
    return Stated(needs, MIXED if any(need.amp for need in needs) else ASSUMED)
