"""docs/behaviour-by-version.md, made of what is kept of other versions (`tools.renew.versions`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from conformance.ids import CheckId, ImplementationId
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import text_of
from conformance.record.compare import Change, Side, compare
from conformance.record.record import CheckLine, RunRecord
from conformance.render.comparison import told
from conformance.render.markdown import cell, cell_code, row
from tools.renew.versions import PACKAGES, Run, runs, searches

#: The call that the question is about, or the nearest to it, of each package whose versions have the case.
QUESTION = {
    "keras2": "losses.binary_crossentropy",
    "keras-jax": "losses.binary_crossentropy",
    "tf-keras": "losses.binary_crossentropy",
    "torch": "nn.functional.binary_cross_entropy",
}

EXPERIMENTS = ("hard", "soft-extreme", "out-of-range", "out-of-range-p03-y2", "out-of-range-p03-ym2")

#: Sentences of the page; each is one line of it.
INTRODUCTION = (
    "# Behaviour by version",
    "",
    "What released versions of the frameworks do on the same exact inputs, in plain (eager) mode.",
    "Every version was installed by itself, from wheels for CPUs that pip installs on Linux x86-64, and run by "
    "`bce-conformance matrix` ([how](versions.md)).",
    "The tables are made of the records of these runs by `make renew`.",
    "",
    "The runs cover the question's experiments, special values, labels outside [0, 1], the probes of contracts, "
    "extreme predictions and focal losses, in float32 and float16: values, gradients by the prediction, "
    "acceptance and result dtypes.",
    "Those of SciPy and scikit-learn are in float64 and float32, of all cases for scikit-learn, and without gradients, "
    "which they do not have.",
    "",
)

QUESTION_TEXT = (
    "## The question's experiments",
    "",
    "[The question](theory.md#the-question) was asked about Keras in 2020.",
    "Keras 2.2.4 on TensorFlow 1.15.5 prints the three numbers of the question, and the two of its answer within "
    "one unit in the last place.",
    "It turns the clipped prediction into a logit; Keras 2 as it lives on in tf_keras adds 1e-7 inside the logarithms, "
    "so that the second experiment gives 7.6895466 and not 8.01512.",
    "Cells are the mean loss in float32, or the exception.",
    "",
)

SEARCHES_TEXT = (
    "## Where exactly",
    "",
    "`bce-conformance bisect` between two versions names the release.",
    "Another package that had to change with it stands in the last column.",
    "",
)

ALONE = "Other releases of it are built for CUDA and take gigabytes; they were not run."

CHANGES_TEXT = (
    "## What changed",
    "",
    "A change is an element whose verdict, exception or result dtype is another one in the next version that was run; "
    "a number that moved within its budget is none.",
    "The counts are of elements.",
    "Python and the packages beside may have changed, too: they stand in each table, and the searches above say where "
    "it was they.",
    "",
)


def files() -> dict[str, str]:
    """The page by its path in the repository."""
    return {"docs/behaviour-by-version.md": page()}


def page() -> str:
    """The whole page."""
    return "\n".join(_lines(runs())).rstrip("\n") + "\n"


def _lines(found: dict[str, list[Run]]) -> Iterator[str]:
    yield from INTRODUCTION
    yield from QUESTION_TEXT
    yield from _question([run for name in ("keras", "tf-keras", "torch") for run in found.get(name, ())])
    yield ""
    yield from _searches()
    yield ""
    yield from CHANGES_TEXT
    for name, ran in found.items():
        yield f"### {PACKAGES[name]}"
        yield ""
        yield from _versions(ran)
        yield ""
        yield from _changes(ran)
        yield ""


def _question(ran: Sequence[Run]) -> Iterator[str]:
    columns = [(run, backend.name) for run in ran for backend in run.backends if backend.name in QUESTION]
    names = [f"{run.package} {run.version}" for run, _ in columns]
    yield row(["experiment", *names])
    yield row(["---", *["--:"] * len(names)])
    for experiment in EXPERIMENTS:
        case = f"question/{experiment}"
        checks = [f"{case}::{backend}/{QUESTION[backend]}/eager/cpu::float32::value" for _, backend in columns]
        cells = [_printed(run.record, check) for (run, _), check in zip(columns, checks, strict=True)]
        yield row([f"`{case}`", *cells])


def _printed(record: RunRecord, check: str) -> str:
    """What came back: the number as the dtype prints it, or the type of the exception."""
    found = next((one for one in record.checks if one.id == check), None)
    if found is None:
        return "-"
    if not found.bits or not found.bits[0]:
        return cell((found.details[0] if found.details else found.verdict).partition(":")[0])
    return text_of(int(found.bits[0], 16), FORMATS[found.result_dtype])


def _versions(ran: Sequence[Run]) -> Iterator[str]:
    shown = ("conforms", "by-contract", "rejects", "deviates", "unsupported")
    yield row(["version", "released", "Python", "with", "elements", *shown])
    yield row(["---"] * 4 + ["--:"] * (len(shown) + 1))
    for run in ran:
        counts = Counter(verdict for check in run.record.checks for verdict in _verdicts(check))
        rest = [str(counts[name]) for name in shown]
        yield row([run.version, run.released, run.python, cell(run.beside), str(counts.total()), *rest])


def _verdicts(check: CheckLine) -> tuple[str, ...]:
    return check.verdicts or (check.verdict,) * max(len(check.elements), 1)


def _changes(ran: Sequence[Run]) -> Iterator[str]:
    groups: dict[tuple[str, ...], list[Change]] = {}
    for old, new in pairwise(ran):
        for change in compare(Side("", old.record), Side("", new.record)).changes:
            before, after, quantity = _kind(change.old), _kind(change.new), change.quantity
            if before == after:  # only the words of an exception are others
                continue
            if before.startswith("unsupported"):  # a call that came with a version is one row, whatever it then does
                after, quantity = "offered", "all"
            key = (f"{old.version} → {new.version}", change.implementation, quantity, before, after)
            groups.setdefault(key, []).append(change)
    if not groups:
        yield "Nothing changed." if len(ran) > 1 else ALONE
        return
    yield row(["between", "implementation", "quantity", "elements", "before", "after", "for example"])
    yield row(["---"] * 3 + ["--:"] + ["---"] * 3)
    for (between, implementation, quantity, _, kind), members in groups.items():
        dtypes = " ".join(dict.fromkeys(name for one in members for name in one.dtypes))
        yield row(
            [
                between,
                cell_code(ImplementationId.parse(implementation).family),
                quantity,
                f"{sum(one.elements for one in members)} in {dtypes}",
                cell(_short(told(members[0].old, members[0].old_bits, members[0].old_dtype))),
                kind
                if kind == "offered"
                else cell(_short(told(members[0].new, members[0].new_bits, members[0].new_dtype))),
                cell_code(_place(members[0].example)),
            ]
        )


def _kind(words: str) -> str:
    """What happened, of an exception without its message."""
    return words.partition(":")[0]


def _place(example: str) -> str:
    """Case and element of a check's id and element."""
    return f"{example.partition('::')[0]}#{example.rpartition('#')[2]}"


def _short(text: str) -> str:
    """A cell's worth of what an exception says."""
    return text if len(text) <= 160 else f"{text[:160]}…"


def _searches() -> Iterator[str]:
    yield from SEARCHES_TEXT
    yield row(["package", "first", "last before it", "what", "before", "after", "changed with it"])
    yield row(["---"] * 7)
    for found in searches().values():
        example = next(one for one in found["outputs"] if one["before"] != one["after"])
        also = ", ".join(f"{one['package']} {one['before']} → {one['after']}" for one in found["also_differs"])
        what = example["what"]
        entry = ImplementationId.parse(CheckId.parse(what).implementation).family if "::" in what else "a script"
        yield row(
            [
                found["package"],
                cell(found["first"]),
                cell(found["last"]),
                cell_code(f"{entry} {_place(example['what'])}"),
                cell(_short(example["before"])),
                cell(_short(example["after"])),
                cell(also or "-"),
            ]
        )
