"""The scoreboard: modes that behave alike share a row, and a hundred implementations fit on two screens."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
from rich.console import Console

from conformance.adapters.declaration import BASE_MODE, Declaration
from conformance.known.record import Record
from conformance.pool.backend import Backend, Opened
from conformance.pool.observation import Observation
from conformance.quantities import AGREEMENT
from conformance.record.record import RunRecord
from conformance.record.summary import Cell, Row, by_entry, folded, scoreboard
from conformance.render import markdown, text
from conformance.render.scoreboard import row_name
from conformance.run import run
from tests.builders import case, implementation, plan, raised, request, returned

RIGHT = returned([0.6931472])
ALMOST = returned([0.69314724])
WRONG = returned([0.5])


class Canned:
    """Stands in for a pool: every backend opens, and one observation answers each request."""

    here = False

    def __init__(self, seen: Sequence[Observation]) -> None:
        self.seen = seen
        self.restarts: list[str] = []
        self.lost: list[str] = []

    def run(self, backends: object, requests: Sequence[object], on_opened: object, on_observed: object) -> None:
        """Tell everything."""
        names = {one.implementation.adapter for one in requests}  # type: ignore[attr-defined]
        for name in sorted(names):
            on_opened(
                Backend(name=name, source=f"{name}.py", interpreter="python", implementations=()),
                Opened(versions={name: "1.0"}),
            )  # type: ignore[operator]
        for index, observation in enumerate(self.seen):
            on_observed(index, {"value": (observation,)})  # type: ignore[operator]

    def stop(self) -> None:
        """Nothing to stop."""


def made(*pairs: tuple[Declaration, Observation]) -> RunRecord:
    """The record of a run in which each implementation gave one observation for p = 0.5, y = 1 in float32."""
    one = case(("0.5", "1"))
    asked = plan([request(one, by, "float32", quantities(by)) for by, _ in pairs])
    canned = Canned([observation for _, observation in pairs])
    return run.execute(canned, (), asked, Record(), run.Options()).record  # type: ignore[arg-type]


def quantities(by: Declaration) -> tuple[str, ...]:
    """What is asked: of other modes than eager also whether they do as eager does."""
    return ("value", "acceptance", *((AGREEMENT,) if by.mode != BASE_MODE else ()))


def modes(entry: str = "loss", adapter: str = "stub", **observations: Observation) -> RunRecord:
    """The record of a run of one entry in several modes."""
    return made(*((implementation(adapter=adapter, entry=entry, mode=mode), o) for mode, o in observations.items()))


def printed(record: RunRecord, **how: bool) -> list[str]:
    """The lines of the text form."""
    stream = io.StringIO()
    text.render(record, Console(file=stream, width=140, force_terminal=False), **how)
    return stream.getvalue().splitlines()


def names(rows: Sequence[Row]) -> list[str]:
    """What stands in the first column."""
    return [row_name(row) for row in rows]


def test_modes_that_behave_alike_share_a_row() -> None:
    """Same counts in every family: one row that names the modes."""
    rows = scoreboard(modes(eager=RIGHT, compile=RIGHT, vmap=RIGHT))
    assert names(folded(rows)) == ["loss  (eager, compile, vmap)"]


def test_a_mode_that_differs_has_a_row_of_its_own() -> None:
    """The others still share theirs."""
    rows = scoreboard(modes(eager=RIGHT, compile=WRONG, vmap=RIGHT))
    assert names(folded(rows)) == ["loss  (eager, vmap)", "loss  (compile)"]


def test_agreement_with_eager_mode_is_counted_in_a_column_of_its_own() -> None:
    """Eager mode has no such check, and shares its row with modes that agree."""
    lines = printed(modes(eager=RIGHT, compile=RIGHT, vmap=RIGHT))
    assert names(folded(scoreboard(modes(eager=RIGHT, compile=RIGHT)))) == ["loss  (eager, compile)"]
    heading = next(line.split() for line in lines if line.startswith("implementation"))
    cells = next(line.split() for line in lines if line.startswith("  loss"))
    assert cells[heading.index("agree") - len(heading)] == "2/2"


def test_a_mode_that_disagrees_has_a_row_of_its_own() -> None:
    """Even where both results are as they should be against the ideal."""
    rows = scoreboard(modes(eager=RIGHT, compile=RIGHT))
    split = replace(rows[1], agreement=Cell(conforms=0, checks=1, verdicts={"deviates": 1}))
    assert len(folded([rows[0], split])) == 2


def test_a_shared_row_shows_the_worst_error() -> None:
    """Both conform, so the row is shared; the larger error is the one to see."""
    rows = scoreboard(modes(eager=RIGHT, compile=ALMOST))
    (row,) = folded(rows)
    assert row.worst_ulp == max(one.worst_ulp or 0 for one in rows) > min(one.worst_ulp or 0 for one in rows)


def test_verdicts_of_another_kind_are_not_alike() -> None:
    """Neither conforms, but to be wrong and to be refused by the framework is not the same."""
    rows = scoreboard(modes(eager=WRONG, compile=raised(control=False)))
    assert len(folded(rows)) == 2


def test_another_answer_to_labels_outside_the_domain_is_not_alike() -> None:
    """The last column counts."""
    (row,) = scoreboard(modes(eager=RIGHT))
    assert len(folded([row, replace(row, out_of_range="rejects")])) == 2


@pytest.mark.parametrize("fields", [{"entry": "other"}, {"adapter": "other"}, {"device": "cuda"}])
def test_entries_backends_and_devices_never_share_a_row(fields: dict[str, str]) -> None:
    """Only the modes of one entry on one device do."""
    rows = scoreboard(made((implementation(), RIGHT), (implementation(**fields), RIGHT)))
    assert len(folded(rows)) == 2


def test_one_row_an_entry_is_that_of_eager_mode_and_says_how_many_differ() -> None:
    """Whichever mode was declared first."""
    rows = scoreboard(modes(compile=WRONG, eager=RIGHT, vmap=RIGHT, jit=WRONG))
    (row,) = by_entry(folded(rows))
    assert row.implementation == "stub/loss/eager/cpu"
    assert (row.modes, row.differing) == (("eager", "vmap"), ("compile", "jit"))
    assert row_name(row) == "loss  (eager, vmap; 2 differ)"


def test_wide_shows_every_mode() -> None:
    """A row each, in the order of the plan."""
    lines = printed(modes(eager=RIGHT, compile=RIGHT), wide=True)
    assert sum(line.startswith("  loss") for line in lines) == 2
    assert sum(line.startswith("  loss") for line in printed(modes(eager=RIGHT, compile=RIGHT))) == 1


def test_a_name_that_has_no_room_is_cut_and_never_the_numbers() -> None:
    """First modes are counted, then the middle of the entry is left out."""
    words = ("eager", "compile", "script", "trace", "export", "vmap", "functionalize")
    (row,) = folded(scoreboard(modes(entry="a_rather_long_name_of_an_entry", **dict.fromkeys(words, RIGHT))))
    assert row_name(row, 52) == "a_rather_long_name_of_an_entry  (eager and 6 more)"
    assert row_name(row, 40) == "a_rather_…f_an_entry  (eager and 6 more)"


def many(entries: int, observations: Sequence[Observation], backends: int = 7) -> RunRecord:
    """A run of `entries` entries on some backends, each in as many modes as there are observations."""
    words = ("eager", "compile", "vmap", "jit")
    return made(
        *(
            (implementation(adapter=f"backend{index * backends // entries}", entry=f"loss{index:03}", mode=mode), seen)
            for index in range(entries)
            for mode, seen in zip(words, observations, strict=False)
        )
    )


@pytest.mark.parametrize("observations", [(RIGHT, RIGHT, RIGHT), (RIGHT, WRONG, raised(control=False))])
@pytest.mark.parametrize("entries", [1, 20, 37, 60, 120])
def test_a_run_stays_on_two_screens(entries: int, observations: tuple[Observation, ...]) -> None:
    """However many entries there are, and whether or not their modes are alike; the findings keep their place."""
    lines = printed(many(entries, observations))
    assert len(lines) <= text.LINES
    assert any(line.startswith("Findings by cause") for line in lines)
    assert lines[-1].startswith("outcomes:")


def test_where_rows_are_left_out_that_is_said() -> None:
    """The number of entries that are shown and of those that are not is the number of all."""
    lines = printed(many(120, (RIGHT, RIGHT)))
    shown = sum(line.startswith("  loss") for line in lines)
    (said,) = [line for line in lines if "more entries" in line]
    assert int(said.split()[2]) + shown == 120


def test_an_entry_with_a_new_finding_is_not_left_out() -> None:
    """In any of its modes: entries without one go first."""
    quiet = [(implementation(entry=f"loss{index:03}"), RIGHT) for index in range(150)]
    loud = [(implementation(entry="loud", mode=mode), o) for mode, o in (("eager", RIGHT), ("compile", WRONG))]
    lines = printed(made(*quiet, *loud))
    assert any(line.startswith("  loud  (eager; 1 differ)") for line in lines)


def test_the_legend_explains_rows_that_speak_for_other_modes() -> None:
    """Only where there are such rows."""
    assert "`N differ`" in " ".join(" ".join(printed(many(60, (RIGHT, WRONG)))).split())
    assert "`N differ`" not in " ".join(printed(many(3, (RIGHT, WRONG))))


def test_what_was_not_judged_is_counted_by_reason() -> None:
    """Unsupported, absent, not run, not offered and skipped stand apart in the closing lines of both forms."""
    record = modes(eager=RIGHT, compile=raised(control=False))
    header = msgspec.structs.replace(record.header, not_offered={"dtype": 5, "option": 7}, skipped=11)
    assert record.footer is not None
    footer = msgspec.structs.replace(record.footer, not_run=13, absent=12)
    told = "2 unsupported, 12 absent, 1 not run, 12 not offered (dtype 5, option 7), 11 skipped by the filters"
    changed = replace(record, header=header, footer=footer)
    assert f"not judged: {told}" in printed(changed)
    assert f"Not judged: {told}." in markdown.render(changed)
