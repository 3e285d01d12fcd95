"""Badges: the fields that shields.io documents, counts that are never added up, and one file for each id."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as replace_fields

from conformance.cli import main
from conformance.judge.harm import Harm
from conformance.judge.verdicts import EXPECTED
from conformance.record import record as records
from conformance.record.record import BackendLine, RunRecord
from conformance.render.badges import COLORS, badges, file_name
from tests.builders import deterministic
from tests.records import CHECKS, OTHER, PLAIN, STRANGE, check, interrupted, run, with_header

RECORD = Path(__file__).parents[1] / "data" / "record-schema-2.jsonl"

#: What https://shields.io/badges/endpoint-badge documents of the fields that are used here; colours are named ones.
DOCUMENTED = {
    "type": "object",
    "required": ["schemaVersion", "label", "message", "color"],
    "additionalProperties": False,
    "properties": {
        "schemaVersion": {"const": 1},
        "label": {"type": "string"},
        "message": {"type": "string", "minLength": 1},
        "color": {"enum": ["brightgreen", "green", "yellowgreen", "yellow", "orange", "red", "blue", "lightgrey"]},
        "isError": {"type": "boolean"},
    },
}


def written(record: RunRecord) -> dict[str, Any]:
    """The badges as who fetches them reads them."""
    return {name: json.loads(msgspec.json.encode(badge)) for name, badge in badges(record).items()}


def of(record: RunRecord, name: str) -> dict[str, Any]:
    """The badge of one id."""
    found: dict[str, Any] = written(record)[file_name(name)]
    return found


@pytest.mark.parametrize(
    "record", [run(), interrupted(run()), run((), 3), records.read(RECORD)], ids=["all", "cut", "none", "kept"]
)
def test_every_badge_has_the_documented_fields(record: RunRecord) -> None:
    """One for each implementation and each backend, whatever became of the run."""
    made = written(record)
    names = [*(one.id for one in record.header.implementations), *(one.name for one in record.header.backends)]
    assert set(made) == {file_name(name) for name in names}
    for badge in made.values():
        jsonschema.Draft202012Validator(DOCUMENTED).validate(badge)


def test_counts_are_told_apart() -> None:
    """Conforms and by-contract are there even where they are 0; problems are counted by the harm that they do."""
    assert of(run(), STRANGE)["message"] == "conforms 0 · by contract 1 · new 1"
    assert of(run(), PLAIN)["message"] == "conforms 0 · by contract 0 · rejects 1 · misleads 1"
    assert of(run(), "torch")["message"] == "conforms 0 · by contract 1 · rejects 1 · misleads 1 · new 1"


def test_a_problem_counts_once_with_the_worst_that_it_does() -> None:
    """However many elements and checks it has: here an inaccurate loss, and one that is NaN."""
    nan = replace_fields(CHECKS[2], id="other", bits=("3f317218", "7fc00000"))
    assert of(run((CHECKS[2], nan)), PLAIN)["message"] == "conforms 0 · by contract 0 · breaks 1"


@pytest.mark.parametrize("verdict", sorted(EXPECTED))
def test_what_is_never_a_finding_is_green(verdict: str) -> None:
    """Brightest where all checks conform."""
    record = run((*(check(OTHER, "conforms", quantity=str(n)) for n in range(9)), check(OTHER, verdict)))
    assert of(record, OTHER)["color"] == ("brightgreen" if verdict == "conforms" else "green")


@pytest.mark.parametrize("harm", Harm)
def test_no_harm_is_green(harm: Harm) -> None:
    """Whatever the words are, a problem is seen."""
    assert "green" not in COLORS[harm]


def test_a_new_finding_is_red() -> None:
    """A deviation that nobody has looked at is not the colour of a known one."""
    assert of(run(), STRANGE)["color"] == "red"
    assert of(run(), PLAIN)["color"] == "orange"


def test_an_interrupted_run_has_no_counts() -> None:
    """Counts of a part would look like those of a whole."""
    for badge in written(interrupted(with_header(run(), backends=()))).values():
        assert (badge["message"], badge["color"], badge["isError"]) == ("interrupted", "lightgrey", True)


def test_a_backend_that_did_not_take_part_says_so() -> None:
    """Absent or failed, and no counts."""
    record = with_header(
        run((), 3), backends=(BackendLine(name="jax", absent="x"), BackendLine(name="torch", failed="y"))
    )
    assert [(one["label"], one["message"], one["isError"]) for one in written(record).values()] == [
        ("jax", "absent", True),
        ("torch", "failed", True),
    ]


@pytest.mark.parametrize("name", ["preset", "case", "flag", "dtype", "quantity"])
def test_a_run_of_a_part_says_so(name: str) -> None:
    """A badge of a quick run does not look like one of a whole run."""
    assert of(with_header(run(), filters={name: ["x"]}), PLAIN)["message"].endswith("part of the checks")
    assert "part" not in of(with_header(run(), filters={"mode": ["eager"], "backend": ["x"]}), PLAIN)["message"]


def test_a_run_that_failed_says_so() -> None:
    """Exit code 3: not all was run, and the badge is an error."""
    badge = of(run(CHECKS[1:2], 3), STRANGE)
    assert badge["message"].endswith("not all was run")
    assert badge["isError"]


def test_the_label_has_the_version() -> None:
    """Without what goes without saying: eager mode on the CPU."""
    assert of(run(), PLAIN)["label"] == "torch/nn.loss 2.13.0"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("torch/nn.functional.bce/eager/cpu", "torch--nn.functional.bce--eager--cpu.json"),
        ("keras-jax", "keras-jax.json"),
        ("torch/nn.loss[a|b]/eager/cpu", r"torch--nn.loss-a-b--eager--cpu--[0-9a-f]{12}.json"),
        ("../../etc/passwd", r"----etc--passwd--[0-9a-f]{12}.json"),
    ],
)
def test_a_file_is_called_after_its_id(name: str, file: str) -> None:
    """A link to a badge stays as it is from run to run."""
    assert re.fullmatch(file, file_name(name))


@deterministic
@given(st.lists(st.text(alphabet="aB._-/[]| ", min_size=1), min_size=2, max_size=2, unique=True))
def test_no_two_ids_share_a_file_and_none_leaves_the_folder(names: list[str]) -> None:
    """Names hold neither slashes nor blanks nor a leading dot."""
    files = [file_name(name) for name in names]
    assert len(set(files)) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.json", file) for file in files)


def test_the_command_writes_them(tmp_path: Path) -> None:
    """Into a new folder; a second time over the first."""
    for _ in range(2):
        done = CliRunner().invoke(main, ["badges", str(RECORD), str(tmp_path / "new" / "folder")])
        assert (done.exit_code, done.output) == (0, f"{tmp_path}/new/folder: 4 badges\n")
    found = {one.name: json.loads(one.read_text()) for one in (tmp_path / "new" / "folder").iterdir()}
    assert found == written(records.read(RECORD))


def test_no_record_is_bad_input(tmp_path: Path) -> None:
    """Nothing is written."""
    (tmp_path / "run.jsonl").write_text("{}\n")
    done = CliRunner().invoke(main, ["badges", str(tmp_path / "run.jsonl"), str(tmp_path / "out")])
    assert done.exit_code == 2
    assert not (tmp_path / "out").exists()
