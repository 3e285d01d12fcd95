"""`tools/renew/pinned.py`: only a whole run of the pinned environment that is as expected can ship."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conformance.errors import InputError
from conformance.known.record import Record
from conformance.record import record
from conformance.record.record import SCHEMA, BackendLine, RunRecord, SpeedLine
from conformance.run import pinned
from conformance.run.held import renewed
from tests.choices import A, check, run
from tools.renew import pinned as renew_pinned


def whole(**fields: Any) -> RunRecord:
    """A record that may ship."""
    backends = (BackendLine(name="stub", versions={"stub": "1.0"}, pinned=True),)
    return run([check("hard-labels/x", A)], **({"backends": backends, "filters": {"mode": ["eager"]}} | fields))


def ended(**fields: Any) -> Callable[[], RunRecord]:
    """A record with another footer."""
    return lambda: dataclasses.replace(whole(), footer=msgspec.structs.replace(whole().footer, **fields))


def test_a_whole_run_ships_as_it_is() -> None:
    """Nothing is left out; a record of an older schema gets its tallies, and the new version."""
    old = whole(schema=1)
    made = renew_pinned.shipped(old)
    assert made.header.schema == SCHEMA
    assert [line.implementation for line in made.tallies] == [A]
    assert dataclasses.replace(made, header=old.header, tallies=()) == old


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: dataclasses.replace(whole(), footer=None), "interrupted"),
        (ended(exit=1), "exit 1, 0 not run"),
        (ended(not_run=3), "exit 0, 3 not run"),
        (lambda: whole(filters={"mode": ["eager"], "dtype": ["float32"]}), "no filter"),
        (lambda: whole(filters={}), "no filter"),
        (lambda: whole(backends=(BackendLine(name="odd", versions={"odd": "1"}),)), "not odd"),
        (lambda: whole(backends=(BackendLine(name="gone", absent="no such module"),)), "not gone"),
    ],
)
def test_other_runs_do_not_ship(other: Callable[[], RunRecord], message: str) -> None:
    """An interrupted, unexpected, filtered or unpinned run is refused with the reason."""
    with pytest.raises(InputError, match=message):
        renew_pinned.shipped(other())


SPEED = SpeedLine(
    implementation=A, dtype="float32", direction="forward", elements=10, seconds=1.0, repeats=3, memory=None
)


def test_a_run_without_speeds_keeps_those_that_were_shipped() -> None:
    """They take much longer than the checks, and an idle machine."""
    before = dataclasses.replace(whole(), speeds=(SPEED,))
    assert renew_pinned.with_speeds(whole(), before) == before


def test_speeds_of_other_versions_are_not_kept() -> None:
    """They would be those of another implementation."""
    before = dataclasses.replace(
        whole(backends=(BackendLine(name="stub", versions={"stub": "0.9"}, pinned=True),)), speeds=(SPEED,)
    )
    with pytest.raises(InputError, match=r"'stub': '0\.9'"):
        renew_pinned.with_speeds(whole(), before)


def test_the_script_writes_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0 and a compressed record; 2 and a message for a file that is none."""
    monkeypatch.setattr(pinned, "shipped_run", lambda: tmp_path / "results" / "pinned.jsonl.gz")
    record.write(whole(), tmp_path / "run.jsonl")
    assert renew_pinned.main([str(tmp_path / "run.jsonl")]) == 0
    assert record.read(tmp_path / "results" / "pinned.jsonl.gz") == renew_pinned.shipped(renewed(whole(), Record()))
    assert renew_pinned.main([str(tmp_path / "nowhere.jsonl")]) == 2
    assert "cannot be read" in capsys.readouterr().err
