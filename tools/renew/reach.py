"""`docs/reach.md`: what is asked of every entry point, by kind of input and way of passing, or why nothing is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

from conformance.adapters import BUILTIN, load_builtin
from conformance.adapters.declaration import BASE_MODE, Declaration
from conformance.plan.cases import Case, Located, Suite, load_suite
from conformance.plan.plan import make_plan
from conformance.quantities import NUMERIC, PROBE, RELATION
from tools.renew import ROOT

PAGE = "docs/reach.md"

#: What nothing is asked for, by the reason of the plan, in the words of the page.
REASONS = {
    "option": "no such argument",
    "parameter": "no such parameter",
    "reduction": "no such reduction",
    "label": "labels 0 and 1 only",
    "weight": "weights 0 and 1 only",
    "layout": "no such layout",
    "relation": "no gradient, layer or counterpart",
    "quantity": "no derivatives",
    "dtype": "no such dtype",
    "shape": "few shapes",
    "mode": "not in this mode",
    "form": "of the other form",
}


def _of(*beginnings: str) -> Callable[[Case], bool]:
    return lambda case: case.id.startswith(beginnings)


def _options(*names: str) -> Callable[[Case], bool]:
    return lambda case: case.id.startswith("options/") and bool({*case.options, *case.parameters} & set(names))


#: Kinds of input and ways of passing them, in the order of the page; a case is of the first one that takes it.
KINDS: dict[str, Callable[[Case], bool]] = {
    "every binade": _of("hard-labels/binades"),
    "labels 0 and 1": lambda case: case.id.startswith(("hard-labels/", "question/hard")),
    "numbers that programs compare with": _of("extreme-predictions/constants"),
    "p at 0 and 1, large logits": _of("extreme-predictions/"),
    "infinity, NaN, -0, p outside": _of("special-values/"),
    "labels outside [0, 1]": _of("out-of-range-labels/"),
    "where gradients matter": _of("gradients/"),
    "weight": _options("weight"),
    "pos_weight": _options("pos_weight"),
    "focal exponent and balance": _options("gamma", "alpha"),
    "label smoothing": _options("label_smoothing"),
    "mean": lambda case: case.reduction == "mean" and case.probe is None,
    "sum": lambda case: case.reduction == "sum" and case.probe is None,
    "millions of elements": _of("shapes/large"),
    "views and layouts": _of("shapes/views", "shapes/layouts"),
    "label of another shape": _of("shapes/label-shape"),
    "weight of another shape": _of("shapes/weight-shape", "shapes/pos-weight-shape", "shapes/mask-shape"),
    "lengths and ranks": _of("shapes/"),
    "label of another dtype": lambda case: "label" in case.dtypes_of,
    "weight of another dtype": lambda case: bool(case.dtypes_of),
    "own layer before": _of("relations/sigmoid-output", "relations/softmax-output"),
    "own layer before its mean": _of("relations/sigmoid-mean", "relations/softmax-mean"),
    "own layer within the call": _of("relations/sigmoid-inside", "relations/softmax-inside"),
    "array of NumPy as label": _of("relations/label-array"),
    "list as label": _of("relations/label-list"),
    "array of NumPy as weight": _of("relations/weight-array"),
    "number as weight": _of("relations/weight-number"),
    "one tensor as both": _of("relations/aliased"),
    "upstream gradient": _of("relations/upstream"),
    "second thread": lambda case: case.relation in ("thread", "thread-gradient"),
    "two threads at once": _of("relations/threads"),
    "result read later": _of("relations/kept", "relations/overwritten"),
    "beside NaN, infinity, huge": _of("relations/beside-"),
    "other relations": lambda case: case.relation is not None,
    "documented properties": lambda case: case.probe is not None,
    "soft labels": lambda case: True,
}

#: What a cell counts, in this order.
COUNTED = ("values", "derivatives", "others")


def kind_of(case: Case) -> str:
    """The kind of a case: the first that takes it."""
    return next(name for name, takes in KINDS.items() if takes(case))


def counted(quantity: str) -> str:
    """Which of the numbers of a cell a check is counted in."""
    if quantity in ("value", RELATION, PROBE):
        return "values"
    return "derivatives" if quantity in NUMERIC else "others"


@cache
def declared() -> tuple[Declaration, ...]:
    """Every built-in implementation on the CPU."""
    adapters = [adapter for module in BUILTIN for adapter in load_builtin(module)]
    lines = [line for adapter in adapters for line in adapter.declaration()["implementations"]]
    return tuple(one for one in map(Declaration.from_wire, lines) if one.device == "cpu")


@cache
def suite() -> Suite:
    """The cases of the repository."""
    return load_suite(ROOT / "cases")


#: By entry point and kind: the numbers of checks over all modes, or why there is none.
Cell = Counter[str] | str


@cache
def cells() -> dict[tuple[str, str], Cell]:
    """Every cell of the matrix."""
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for request in make_plan(suite(), declared()).requests:
        key = request.implementation.family, kind_of(request.case)
        found[key].update(counted(quantity) for quantity in request.quantities)
    by_kind: dict[str, list[Located]] = defaultdict(list)
    for located in suite().cases:
        by_kind[kind_of(located.case)].append(located)
    plain = [one for one in declared() if one.mode == BASE_MODE]
    return {
        (one.family, kind): found.get((one.family, kind)) or _reason(one, by_kind[kind])
        for one in plain
        for kind in KINDS
    }


def _reason(one: Declaration, located: Sequence[Located]) -> str:
    """Why an entry point is asked nothing of a kind: the reason of most of its checks."""
    own = [each for each in located if each.case.form == one.form]
    if not own:
        return "form"
    probes = all(each.case.probe is not None for each in own)
    left = make_plan(replace(suite(), cases=tuple(own)), [one]).not_offered
    return max(left, key=lambda reason: left[reason]) if left else "documents none" if probes else ""


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield from (
        "# What is asked of whom",
        "",
        "A row for each kind of input and way of passing it, a column for each entry point; over all modes, "
        "a cell counts the checks of values, of derivatives, and of all else (how a result came back, agreement "
        "of modes, reductions).",
        "Where nothing is asked, it says why.",
        "This page is made by `make renew`; a test fails where a cell is empty although the entry point takes "
        "what the row is about.",
        "",
    )
    for backend in dict.fromkeys(one.adapter for one in declared()):
        for form in ("probabilities", "logits"):
            entries = dict.fromkeys(one.family for one in declared() if (one.adapter, one.form) == (backend, form))
            if entries:
                yield from (f"## {backend}, {form}", "", *_table(list(entries)), "")


def _table(entries: Sequence[str]) -> Iterator[str]:
    names = [entry.partition("/")[2].replace("[from_logits]", "") for entry in entries]
    yield f"| kind | {' | '.join(f'`{name}`' for name in names)} |"
    yield "|---|" + "---|" * len(names)
    for kind in KINDS:
        yield f"| {kind} | {' | '.join(_written(cells()[entry, kind]) for entry in entries)} |"


def _written(cell: Cell) -> str:
    if isinstance(cell, str):
        return REASONS.get(cell, cell or "**nothing**")
    return " · ".join(str(cell[name]) for name in COUNTED)


def files() -> dict[str, str]:
    """The page by its path."""
    return {PAGE: page()}
