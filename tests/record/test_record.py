"""The run record: written whole or not at all, read back as written, and honest about what is missing."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from conformance.errors import Exit, HarnessError, InputError
from conformance.known.record import Record
from conformance.pool.backend import Backend, Opened
from conformance.quantities import BEHAVIOUR
from conformance.record import record
from conformance.record.files import write_lines
from conformance.record.record import SCHEMA, RunRecord
from conformance.run import lines, run
from tests.builders import CRASHED, case, implementation, plan, raised, request, returned

ROOT = Path(__file__).parents[2]


class Canned:
    """Stands in for a pool: has observed everything already."""

    here = False

    def __init__(self, observed: list[dict[str, tuple[object, ...]]]) -> None:
        self.observed = observed
        self.restarts: list[str] = []
        self.lost: list[str] = []

    def run(self, backends: object, requests: object, on_opened: object, on_observed: object) -> None:
        """Tell everything."""
        on_opened(
            Backend(name="stub", source="stub.py", interpreter="python", implementations=()),
            Opened(versions={"stub": "1.0"}, environment={"threads": 1}),
        )  # type: ignore[operator]
        for index, observed in enumerate(self.observed):
            on_observed(index, observed)  # type: ignore[operator]

    def stop(self) -> None:
        """Nothing to stop."""


@pytest.fixture(scope="module")
def example() -> RunRecord:
    """A record with every kind of number and ending: infinities, NaN, errors, an exception and a crash."""
    made = case(("0", "1"), ("0.5", "1"), ("nan", "1"), ("1e-40", "0"), ("0.5", "inf"))
    by = [implementation(entry=name) for name in ("returns", "raises", "crashes", "strange")]
    asked = [request(made, one, "float32", ("value", *BEHAVIOUR)) for one in by]
    seen = [
        returned([math.inf, 0.7, math.nan, 0.0, -math.inf]),
        raised(message='Zeilenumbruch\n\u2028 und "Anführung" \U0001f600'),
        CRASHED,
        returned([math.nan] * 5, warnings=("UserWarning: careful",), changed=("label",)),
    ]
    canned = Canned([{"value": (one,)} for one in seen])
    done = run.execute(
        canned,  # type: ignore[arg-type]
        (),
        plan(asked),
        Record(),
        run.Options(),
    )
    return done.record


def lines_of(file: Path) -> list[bytes]:
    """The lines of a record with their ends."""
    return file.read_bytes().splitlines(keepends=True)


def test_a_record_is_read_as_it_was_written(example: RunRecord, tmp_path: Path) -> None:
    """Header, inputs, checks, tolerances and footer come back equal."""
    file = tmp_path / "run.jsonl"
    record.write(example, file)
    again = record.read(file)
    assert again == example
    assert not again.interrupted
    assert len(again.checks) == 24
    assert again.tolerances


@pytest.mark.parametrize("strict", [False, True])
def test_a_record_says_whether_its_run_was_strict(strict: bool) -> None:
    """A reader can then tell which fixed checks failed the run."""
    asked = request(case(("0.5", "1")))
    canned = Canned([{"value": (returned([math.log(2)]),)}])
    known = Record()
    done = run.execute(canned, (), plan([asked]), known, run.Options(strict=strict))  # type: ignore[arg-type]
    assert done.record.header.strict is strict
    assert done.record.strict_backends == ({"stub"} if strict else set())


def test_a_record_is_written_into_a_new_folder_and_readable_by_all(example: RunRecord, tmp_path: Path) -> None:
    """Folders are made as needed, no temporary file stays, and the permissions are those of a text file."""
    file = tmp_path / "new" / "folder" / "run.jsonl"
    record.write(example, file)
    assert [one.name for one in file.parent.iterdir()] == ["run.jsonl"]
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_record_holds_strict_json(example: RunRecord, tmp_path: Path) -> None:
    """No line has a bare NaN or Infinity, although the run met both."""
    file = tmp_path / "run.jsonl"
    record.write(example, file)

    def refuse(word: str) -> float:
        raise AssertionError(f"bare {word}")

    text = file.read_text(encoding="utf-8")
    for line in text.rstrip("\n").split("\n"):
        json.loads(line, parse_constant=refuse)
    assert "7f800000" in text, "an infinity is told by its bits"


def test_every_line_is_valid_under_the_schema(example: RunRecord, tmp_path: Path) -> None:
    """The published JSON Schema takes each line of a record."""
    file = tmp_path / "run.jsonl"
    record.write(example, file)
    schema = record.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for line in lines_of(file):
        validator.validate(json.loads(line))


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"type": "header"},
        {"type": "unheard-of"},
        {"type": "footer", "finished": "now"},
        {"type": "check", "id": 5},
    ],
)
def test_the_schema_refuses_other_lines(line: dict[str, object]) -> None:
    """The schema can fail."""
    assert not jsonschema.Draft202012Validator(record.schema()).is_valid(line)


def test_a_record_cut_anywhere_is_an_interrupted_one(example: RunRecord, tmp_path: Path) -> None:
    """Without its last byte, its footer, or the half of its lines a file is read as interrupted, never as complete."""
    whole = tmp_path / "whole.jsonl"
    record.write(example, whole)
    data, lines = whole.read_bytes(), lines_of(whole)
    header, footer = len(lines[0]), len(lines[-1])
    cut = tmp_path / "cut.jsonl"
    for length in (
        len(data) - 1,
        len(data) - footer // 2,
        len(data) - footer,
        len(data) - footer - 1,
        header,
        header + 9,
    ):
        cut.write_bytes(data[:length])
        found = record.read(cut)
        assert found.interrupted
        assert found.header == example.header
        assert found.checks == example.checks[: len(found.checks)]


def test_a_cut_line_after_the_footer_is_an_interrupted_record(example: RunRecord, tmp_path: Path) -> None:
    """Whatever was being written when the file ended, the file does not end as a record does."""
    file = tmp_path / "run.jsonl"
    record.write(example, file)
    with file.open("ab") as stream:
        stream.write(b'{"type": "che')
    assert record.read(file).interrupted


def test_a_record_cut_after_some_checks_keeps_those(example: RunRecord, tmp_path: Path) -> None:
    """The checks before the cut are there."""
    whole = tmp_path / "whole.jsonl"
    record.write(example, whole)
    kept = 1 + len(example.inputs) + 3
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(b"".join(lines_of(whole)[:kept]) + lines_of(whole)[kept][:20])
    assert record.read(cut).checks == example.checks[:3]


def test_an_interrupted_record_survives_writing(example: RunRecord, tmp_path: Path) -> None:
    """A record without footer is written without one."""
    file = tmp_path / "run.jsonl"
    cut = dataclasses.replace(example, footer=None)
    record.write(cut, file)
    assert record.read(file) == cut
    assert record.read(file).interrupted


def refusal(file: Path) -> str:
    """The message of the InputError that reading raises."""
    with pytest.raises(InputError) as caught:
        record.read(file)
    assert caught.value.code == Exit.BAD_INPUT
    return str(caught.value)


def test_a_newer_schema_is_refused_by_name(example: RunRecord, tmp_path: Path) -> None:
    """A record of a later version is not misread: the message has file, line and both versions."""
    file = tmp_path / "run.jsonl"
    record.write(example, file)
    head = json.loads(lines_of(file)[0]) | {"schema": SCHEMA + 1, "a new field": 1}
    file.write_bytes(json.dumps(head).encode() + b"\n" + b'{"type": "a new kind of line"}\n')
    message = refusal(file)
    assert message.startswith(f"{file}:1: schema version {SCHEMA + 1} is newer than this suite reads")
    assert "upgrade" in message


@pytest.mark.parametrize("version", [0, -1, "1", None, 1.5, True, [1]])
def test_a_schema_version_that_is_none_is_refused(example: RunRecord, tmp_path: Path, version: object) -> None:
    """Only a positive integer is a version."""
    file = tmp_path / "run.jsonl"
    record.write(example, file)
    head = json.loads(lines_of(file)[0]) | {"schema": version}
    file.write_bytes(json.dumps(head).encode() + b"\n")
    assert f"{file}:1:" in refusal(file)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", b"{}\n", b"[]\n", b"5\n", b"null\n", b"not JSON\n", b"\xff\xfe\n", b"\0" * 100,
        b'{"type": "header"}\n', b'{"type": "footer", "schema": 1}\n', b"a" * 100_000,
    ],
)  # fmt: skip
def test_garbage_is_refused_with_file_and_line(tmp_path: Path, data: bytes) -> None:
    """What does not start with a header is no record."""
    file = tmp_path / "run.jsonl"
    file.write_bytes(data)
    assert refusal(file).startswith(f"{file}:1: ")


@pytest.mark.parametrize("line", [b"garbage\n", b'{"type": "check"}\n', b'{"type": "unknown"}\n', b"{\n", b"5\n"])
def test_garbage_in_the_middle_is_refused_with_its_line(example: RunRecord, tmp_path: Path, line: bytes) -> None:
    """A damaged line is not skipped: its number is told."""
    file = tmp_path / "run.jsonl"
    record.write(example, file)
    lines = lines_of(file)
    file.write_bytes(b"".join([*lines[:3], line, *lines[3:]]))
    assert refusal(file).startswith(f"{file}:4: ")


def test_two_records_in_one_file_are_refused(example: RunRecord, tmp_path: Path) -> None:
    """Concatenated records are not read as one run."""
    file = tmp_path / "run.jsonl"
    record.write(example, file)
    lines = lines_of(file)
    file.write_bytes(b"".join(lines * 2))
    assert refusal(file).startswith(f"{file}:{len(lines) + 1}: ")


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    """No file, or a folder in its place, is told with the reason."""
    assert "cannot be read" in refusal(tmp_path / "nowhere.jsonl")
    assert "cannot be read" in refusal(tmp_path)


FULL = """
import resource, signal, sys
from collections import Counter
from pathlib import Path
from conformance.record import record
from conformance.errors import HarnessError

file = Path(sys.argv[1])
whole = record.read(file)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    record.write(whole, file)
except HarnessError as error:
    print(error)
    sys.exit(error.code)
"""


def test_a_full_disk_leaves_the_old_record_whole(example: RunRecord, tmp_path: Path) -> None:
    """Where the new record does not fit, the old one stays, no half file does, and the exit code is 3."""
    file = tmp_path / "run.jsonl"
    record.write(example, file)
    before = file.read_bytes()
    assert len(before) > 1000
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(file)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (Exit.HARNESS_FAILED, "")
    assert done.stdout.startswith(f"{file}: cannot be written: File too large")
    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["run.jsonl"]


def test_a_folder_in_place_of_the_file_is_a_harness_error(example: RunRecord, tmp_path: Path) -> None:
    """A target that cannot be replaced raises HarnessError and leaves nothing behind."""
    (tmp_path / "run.jsonl").mkdir()
    with pytest.raises(HarnessError, match="cannot be written"):
        record.write(example, tmp_path / "run.jsonl")
    assert [one.name for one in tmp_path.iterdir()] == ["run.jsonl"]


def test_a_record_that_cannot_be_encoded_leaves_nothing_behind(tmp_path: Path) -> None:
    """A failure between the first and the last line removes the temporary file."""

    def lines() -> object:
        yield b"first"
        raise UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogates not allowed")

    with pytest.raises((HarnessError, UnicodeEncodeError)):
        write_lines(lines(), tmp_path / "run.jsonl")  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == []


def test_numbers_without_meaning_are_null() -> None:
    """NaN and infinities become null, numbers keep six digits."""
    assert lines.numbers([math.nan, math.inf, -math.inf, 0.0, 1.23456789, 1e300]) == (
        None, None, None, 0.0, 1.23457, 1e300,
    )  # fmt: skip


def test_a_compressed_record_is_read_as_it_was_written(example: RunRecord, tmp_path: Path) -> None:
    """A name that ends in .gz gives a gzip stream, the same bytes for the same record, recognized by its content."""
    packed = tmp_path / "run.jsonl.gz"
    record.write(example, packed)
    first = packed.read_bytes()
    assert record.read(packed) == example
    record.write(example, packed)
    assert packed.read_bytes() == first
    renamed = packed.rename(tmp_path / "run.jsonl")
    assert record.read(renamed) == example


def test_a_compressed_record_cut_anywhere_is_an_interrupted_one(example: RunRecord, tmp_path: Path) -> None:
    """What can be had of a cut stream is read; a damaged one is refused by name."""
    packed = tmp_path / "run.jsonl.gz"
    record.write(example, packed)
    whole = packed.read_bytes()
    packed.write_bytes(whole[: len(whole) - 20])
    assert record.read(packed).interrupted
    packed.write_bytes(whole[:100] + bytes(byte ^ 255 for byte in whole[100:200]) + whole[200:])
    assert "damaged" in refusal(packed)


def test_a_compressed_record_without_its_last_bytes_is_an_interrupted_one(example: RunRecord, tmp_path: Path) -> None:
    """Although every line may be there: only its check sum says that they are what was written."""
    packed = tmp_path / "run.jsonl.gz"
    record.write(example, packed)
    whole = packed.read_bytes()
    for missing in range(1, 30):
        packed.write_bytes(whole[:-missing])
        assert record.read(packed).interrupted


def test_a_compressed_record_whose_check_sum_is_wrong_is_damaged(example: RunRecord, tmp_path: Path) -> None:
    """A file that was changed on its way is not read as if it were whole."""
    packed = tmp_path / "run.jsonl.gz"
    record.write(example, packed)
    whole = packed.read_bytes()
    packed.write_bytes(whole[:-8] + bytes(4) + whole[-4:])
    assert "damaged" in refusal(packed)


def test_tallies_count_every_check_once(example: RunRecord) -> None:
    """Verdicts and outcomes of the tallies add up to the footer's, and the worst errors are those of the checks."""
    assert example.footer is not None
    for name in ("verdicts", "outcomes"):
        total: Counter[str] = Counter()
        for line in example.tallies:
            total += Counter(getattr(line, name))
        assert dict(total) == getattr(example.footer, name)
    errors = [error for check in example.checks if check.quantity == "value" for error in check.ulp if error]
    assert max(line.worst.get("value", 0.0) for line in example.tallies) == max(errors)
