"""Edits to deviation files that make them say what runs saw."""

from __future__ import annotations

import difflib
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from conformance.errors import InputError
from conformance.ids import CauseId, ImplementationId
from conformance.known import deviations
from conformance.numbers.measurement import BUDGET, LARGEST
from conformance.record.files import write_lines
from conformance.record.record import CheckLine, FindingLine, RunRecord
from conformance.run.held import findings

#: The recorded order of magnitude is the least power of ten that is so many times the largest error that was seen.
MARGIN = 2.0

#: The exponent of `measurement.LARGEST`.
_HIGHEST = 300

#: An element that was seen within so many budgets may be right on another processor.
NEAR = 4

#: (implementation, case, dtype, quantity).
Key = tuple[str, str, str, str]

#: Element -> (class, error in ULP), for one run.
Seen = dict[Key, dict[str, tuple[str, float | None]]]

#: Element -> what is expected of it, as a file has it; and elements that deviate sometimes.
Content = tuple[dict[str, Any], list[str]]

#: dtype -> order of magnitude of the errors, as the exponent of a power of ten.
Magnitudes = dict[str, int]


@dataclass(frozen=True)
class Edit:
    """One file to be created, changed or removed."""

    file: Path
    before: str
    after: str

    @property
    def action(self) -> str:
        """create, change or remove."""
        return "create" if not self.before else "remove" if not self.after else "change"

    def diff(self) -> Iterator[str]:
        """A unified diff without its header."""
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), lineterm="", n=1)
        yield from list(lines)[2:]

    def apply(self) -> None:
        """Make the edit; a failed write leaves the old file whole."""
        if self.after:
            write_lines([line.encode() for line in self.after.splitlines()], self.file)
        else:
            self.file.unlink()


def edits(runs: Sequence[RunRecord], folder: Path, today: str) -> Iterator[Edit]:
    """Edits for all causes that `runs` are about.  Raises InputError for an interrupted run, and one of stages."""
    if any(run.interrupted for run in runs):
        raise InputError("a run without footer is interrupted and says nothing about what no longer deviates")
    stages = [one.id for run in runs for one in run.header.implementations if one.stage_of]
    if stages:
        raise InputError(f"no record is of a stage of a mode (got {stages[0]!r})", "make the run without it")
    yield from _edit_machines(runs, folder)
    seen = [_seen(run) for run in runs]
    ran = [{_key(line): set(line.elements) for line in run.checks} for run in runs]
    planned = {key for one in ran for key in one}
    causes = dict.fromkeys(cause for one in seen for cause in one)
    causes |= dict.fromkeys(cause for cause in _recorded(folder, planned) if cause not in causes)
    for cause in causes:
        file = folder / f"{cause}.yaml"
        of_cause = [one.get(cause, {}) for one in seen]
        yield from _edit(file, cause, _contents(of_cause, ran), _magnitudes(of_cause), planned, today)


def _recorded(folder: Path, planned: set[Key]) -> Iterator[str]:
    """Causes of the files of a folder that are about one of the `planned` checks."""
    for one in deviations.load((folder,)).deviations if folder.exists() else ():
        keys = (key for selector in one.selectors for key in _keys(msgspec.structs.asdict(selector)))
        if any(key in planned for key in keys):
            yield one.id


def _edit_machines(runs: Sequence[RunRecord], folder: Path) -> Iterator[Edit]:
    """The file of instruction sets names those of `runs`, too."""
    known = deviations.instruction_sets(folder)
    found = {str(run.header.machine["instruction-set"]) for run in runs if "instruction-set" in run.header.machine}
    if not found <= set(known):
        text = "".join(f"{line}\n" for line in sorted(found | set(known)))
        yield Edit(folder / deviations.INSTRUCTION_SETS, "".join(f"{line}\n" for line in known), text)


def _key(check: CheckLine) -> Key:
    return check.implementation, check.case, check.dtype, check.quantity


def _seen(run: RunRecord) -> dict[str, Seen]:
    found: dict[str, Seen] = {}
    for check in run.checks:
        for finding in findings(check):
            of_check = found.setdefault(finding.cause, {}).setdefault(_key(check), {})
            of_check[finding.element] = _expected(check, finding)
    return found


def _expected(check: CheckLine, finding: FindingLine) -> tuple[str, float | None]:
    """The class of a finding and its error; None for a check that measures none, a relation for one."""
    if not check.ulp:
        return finding.what, None
    error = check.ulp[check.elements.index(finding.element)]
    return finding.what, LARGEST if error is None else error


def _magnitudes(seen: Sequence[Seen]) -> Magnitudes:
    """For each dtype of inputs the order of magnitude of the errors that runs saw of one cause."""
    largest: dict[str, float] = {}
    for one in seen:
        for (_, _, dtype, _), elements in one.items():
            for what, error in elements.values():
                if what in deviations.INEXACT_CLASSES and error is not None:
                    largest[dtype] = max(largest.get(dtype, 0.0), error)
    return {dtype: min(math.ceil(math.log10(error * MARGIN)), _HIGHEST) for dtype, error in largest.items()}


def _merged(seen: Sequence[tuple[str, float | None]]) -> str:
    """What is expected of an element that runs saw as `seen`: a word, or several joined by `|`."""
    words = {deviations.INEXACT if what in deviations.INEXACT_CLASSES else what for what, _ in seen}
    return "|".join(sorted(words))


def _is_near(seen: Sequence[tuple[str, float | None]]) -> bool:
    """Whether an inexact element was nearly right in some run."""
    return any(
        what in deviations.INEXACT_CLASSES and error is not None and error <= NEAR * BUDGET for what, error in seen
    )


def _contents(seen: Sequence[Seen], ran: Sequence[dict[Key, set[str]]]) -> dict[Key, Content]:
    """What a record of these runs says of each check.

    An element deviates `sometimes` where one of the runs that had it in a check (`ran`) did not see it deviate.
    """
    return {key: _expectation(key, seen, ran) for key in dict.fromkeys(key for one in seen for key in one)}


def _selectors(contents: dict[Key, Content]) -> Iterator[CommentedMap]:
    """One selector for each entry, case and dtype; quantities that expect the same share one, and so do modes."""
    content: dict[str, Content] = {}
    quantities: dict[tuple[str, str, str, str], list[str]] = {}
    for key, found in contents.items():
        signature = repr(_plain(found))
        content[signature] = found
        quantities.setdefault((*key[:3], signature), []).append(key[3])
    modes: dict[tuple[Any, ...], list[str]] = {}
    for (implementation, case, dtype, signature), names in quantities.items():
        one = ImplementationId.parse(implementation)
        modes.setdefault((one.family, one.device, case, dtype, tuple(names), signature), []).append(one.mode)
    for (family, device, case, dtype, names, signature), together in modes.items():
        expected, sometimes = content[signature]
        alone = len(together) == 1
        selector: dict[str, Any] = {"implementation": f"{family}/{together[0] if alone else '*'}/{device}"}
        if not alone:
            selector["modes"] = together
        selector |= {"case": case, "dtype": dtype, "quantities": list(names), "elements": expected}
        if sometimes:
            selector["sometimes"] = sometimes
        yield _flow(selector)


def _expectation(key: Key, seen: Sequence[Seen], ran: Sequence[dict[Key, set[str]]]) -> Content:
    """What is expected of each element of a check that deviated, and which of them do so only sometimes."""
    elements = dict.fromkeys(element for one in seen for element in one.get(key, {}))
    found = {name: [one[key][name] for one in seen if name in one.get(key, {})] for name in elements}
    expected = {name: _merged(each) for name, each in found.items()}
    pairs = list(zip(seen, ran, strict=True))
    sometimes = [
        name
        for name in elements
        if _is_near(found[name]) or any(name in had.get(key, ()) and name not in one.get(key, {}) for one, had in pairs)
    ]
    return expected, sometimes


def _place(selector: Any) -> tuple[str, ...]:
    """What selectors keep their order by."""
    return str(selector["implementation"]), *selector.get("modes", ()), selector["case"], selector["dtype"]


def _keys(selector: Any) -> Iterator[Key]:
    """The checks that a selector of a file is about."""
    glob = str(selector["implementation"])
    names = [glob.replace("/*/", f"/{mode}/") for mode in selector["modes"]] if selector.get("modes") else [glob]
    for name in names:
        for quantity in selector["quantities"]:
            yield name, selector["case"], selector["dtype"], quantity


def _edit(
    file: Path,
    cause: str,
    contents: dict[Key, Content],
    magnitudes: Magnitudes,
    planned: set[Key],
    today: str,
) -> Iterator[Edit]:
    """The file says `contents` of what was planned, and of other checks what it said before."""
    yaml = YAML()
    yaml.width = 4096
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    data = yaml.load(before) if before else _new(cause, today)
    old, kept = _unplanned(data, planned)
    contents = contents | old
    magnitudes = _joined(magnitudes, data, planned)
    order = {_place(one): index for index, one in reversed(list(enumerate(data.get("selectors", ()))))}
    everything = [*_selectors(contents), *kept]
    if not everything:
        yield Edit(file, before, "")
        return
    wanted = CommentedSeq(sorted(everything, key=lambda one: order.get(_place(one), len(order))))
    sizes = dict(sorted(magnitudes.items()))
    if before and _plain(data["selectors"]) == _plain(wanted) and _plain(data.get("magnitude", {})) == _plain(sizes):
        return
    data.pop("selectors", None)
    data.pop("magnitude", None)
    if sizes:
        data["magnitude"] = _in_one_line(sizes)
    data["selectors"] = wanted
    if before:
        data["checked"] = today
    text = io.StringIO()
    yaml.dump(data, text)
    if text.getvalue() != before:
        yield Edit(file, before, text.getvalue())


def _unplanned(data: Any, planned: set[Key]) -> tuple[dict[Key, Content], list[Any]]:
    """What a file says of checks that were not planned: in selectors that they share with others, and in whole ones."""
    shared: dict[Key, Content] = {}
    whole = []
    for one in data.get("selectors", ()):
        keys = list(_keys(one))
        if not any(key in planned for key in keys):
            whole.append(one)
        else:  # of modes and quantities that share it, some may not have been planned
            content = one["elements"], list(one.get("sometimes", ()))
            shared.update({key: content for key in keys if key not in planned})
    return shared, whole


def _joined(magnitudes: Magnitudes, data: Any, planned: set[Key]) -> Magnitudes:
    """Orders of magnitude that hold for what a file says of checks that were not planned, too."""
    joined = dict(magnitudes)
    for one in data.get("selectors", ()):
        known = data.get("magnitude", {}).get(one["dtype"])
        if known and not all(key in planned for key in _keys(one)):
            joined[one["dtype"]] = max(int(known), joined.get(one["dtype"], 0))
    return joined


def _new(cause: str, today: str) -> CommentedMap:
    one = CauseId.parse(cause)
    return CommentedMap(
        id=cause,
        title=f"{one.backend} {one.entry}: {one.quantity} {one.signature} at {one.region} inputs",
        kind="bug",
        unreported=True,
        reason="not looked for upstream yet",
        checked=today,
    )


def _flow(selector: dict[str, Any]) -> CommentedMap:
    found = CommentedMap(selector)
    for key in ("modes", "quantities", "sometimes"):
        if key in found:
            found[key] = CommentedSeq(found[key])
            found[key].fa.set_flow_style()
    found["elements"] = _in_one_line(selector["elements"])
    return found


def _in_one_line(items: dict[str, Any]) -> CommentedMap:
    made = CommentedMap(items)
    made.fa.set_flow_style()
    return made


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value) for value in node]
    return str(node)
