"""Thousands of malformed files of every kind that the suite reads: bad input is told, and nothing else happens.

Each is a right file with one change, drawn from a fixed seed.  A change may leave a right file; what may not happen
is a traceback, another exit code than those of a right file, or a file that is written although its input is bad.
"""

from __future__ import annotations

import copy
import gzip
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from conformance.adapters import load_builtin
from conformance.cli import main
from conformance.errors import HarnessError, InputError
from conformance.judge.judge import Judge
from conformance.known.record import load, place
from conformance.plan import own_numbers
from conformance.plan.cases import load_suite
from conformance.plan.filters import Filters
from conformance.plan.plan import make_plan
from conformance.pool.backend import Backend
from conformance.pool.batches import batches
from conformance.pool.observation import anonymous
from conformance.pool.service import Service
from conformance.pool.workers import Workers
from conformance.record import record
from conformance.render import shown
from conformance.run import run as runs
from conformance.sweep.basis import Basis
from conformance.sweep.checkpoint import open_checkpoint
from conformance.sweep.spec import Spec
from conformance.worker.protocol import Message
from conformance.worker.session import Session
from conformance.worker.sweep.shard import Shard, Single
from conformance.worker.sweep.statistics import Statistics
from tests import records
from tests.sweep.test_named import PLAIN
from tools.renew import ROOT

SEED = 20261201

#: What may stand in place of a value.
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**70, 1e308, 0.5, "", "-s", "zz", "a/b/c/d", "a::b", "nan", "\x9b31m", "\ud7ff" * 300,
    [], [[]], [1], ["x"], ["x"] * 3, {}, {"x": {}}, {"x": 1},
)  # fmt: skip

#: What may stand in place of some bytes.
BYTES = (
    b"",
    b"\0",
    b"\xff",
    b'"',
    b"{",
    b"}",
    b"\n",
    b"\x1b[31m",
    b"9" * 5000,
    b"[" * 5000,
    b"\t",
    b": ",
    b"&a *a ",
    b"e",
)


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a tree with each of its keys."""
    for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        yield tree, key
        if isinstance(value, dict | list):
            yield from places(value)


def changed_tree(tree: Any, draw: random.Random) -> Any:
    """A copy of plain data with one value taken out, replaced, doubled or renamed."""
    made = copy.deepcopy(tree)
    container, key = draw.choice(list(places(made)))
    how = draw.randrange(5)
    if how == 0:
        del container[key]
    elif how == 1 and isinstance(container[key], list):
        container[key] = container[key] * 2 or [0]
    elif how == 2 and isinstance(container, dict):
        container[draw.choice(("type", "x", "id"))] = container.pop(key)
    else:
        container[key] = draw.choice(VALUES)
    return made


def changed_bytes(data: bytes, draw: random.Random) -> bytes:
    """Bytes of which some are cut off, taken out or replaced."""
    start = draw.randrange(len(data))
    if draw.randrange(4) == 0:
        return data[:start]
    return data[:start] + draw.choice(BYTES) + data[start + draw.randrange(9) :]


def changed_lines(lines: list[Any], draw: random.Random) -> bytes:
    """Lines of JSON of which one is changed, doubled, taken out or moved."""
    made, at = list(lines), draw.randrange(len(lines))
    how = draw.randrange(8)
    if how == 0:
        made.insert(draw.randrange(len(made)), made[at])
    elif how == 1:
        del made[at]
    elif how == 2:
        made.insert(draw.randrange(len(made)), made.pop(at))
    else:
        made[at] = changed_tree(made[at], draw)
    data = b"".join(json.dumps(one).encode() + b"\n" for one in made)
    data = changed_bytes(data, draw) if draw.randrange(6) == 0 else data
    return gzip.compress(data, mtime=0) if draw.randrange(8) == 0 else data


def wrong(file: Path, words: list[str], output: Path, bad: bool) -> str | None:
    """What a command does that it may not, of a file that is `bad`, or may be right."""
    done = CliRunner().invoke(main, words)
    if done.exit_code not in ((2,) if bad else (0, 1, 2)) or not isinstance(done.exception, SystemExit | None):
        return f"exit {done.exit_code}, {done.exception!r}: {done.output[-300:]!r}"
    if "Traceback" in done.output or "\x1b" in done.output or "\x9b" in done.output:
        return f"a traceback or an escape sequence: {done.output!r}"
    if bad and (file.name not in done.output or output.exists()):
        return "the file is not named, or something is written"
    shutil.rmtree(output) if output.is_dir() else output.unlink(missing_ok=True)
    return None


def told(error: Exception, file: Path) -> bool:
    """Whether an error names the file, and line or field."""
    return re.search(rf"{re.escape(file.name)}(:\d+)?: \S", str(error)) is not None


def attacked(
    file: Path,
    count: int,
    made: Callable[[random.Random], bytes],
    read: Callable[[Path], object],
    commands: Callable[[str, str], list[list[str]]],
) -> list[str]:
    """What goes wrong with `count` files: each is read, and given to one of the commands where there are some."""
    draw, output = random.Random(SEED), file.parent / "output"
    found, refused = [], 0
    for number in range(count):
        file.write_bytes(data := made(draw))
        bad = False
        try:
            read(file)
        except InputError as error:
            bad = True
            if not told(error, file):
                found.append(f"{number}: is not told by file and line or field: {error}")
        except Exception as error:
            found.append(f"{number}: {type(error).__name__}: {error} of {data[-200:]!r}")
            continue
        refused += bad
        words = draw.choice(commands(str(file), str(output)) or [[]])
        if words and (said := wrong(file, words, output, bad)):
            found.append(f"{number}: {' '.join(words[:3])}: {said}")
    return found or ([] if refused > count // 2 else [f"of {count} files {refused} are refused: most must be bad"])


def of_record(file: str, output: str) -> list[list[str]]:
    """Commands that read a run record."""
    here = str(Path(file).parent)  # a record in which nothing is recorded
    forms = ("json", "markdown", "github", "junit", "text")
    return [
        *(["show", file, "--format", form] for form in forms),
        ["show", file, "--all"], ["show", file, "--wide"], ["show", file, "--counts"],
        ["report", file, "--html", output], ["badges", file, output], ["diff", file, file],
        ["choose", file, "--need", "soft-labels"], ["known", "check", file, "--folder", here],
        ["known", "update", file, "--folder", here],
    ]  # fmt: skip


def lines_of(run: record.RunRecord, file: Path) -> list[Any]:
    """The lines of a record as plain data."""
    record.write(run, file)
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def test_a_malformed_run_record_is_bad_input_in_every_command(tmp_path: Path) -> None:
    """Whatever it contradicts."""
    file = tmp_path / "attack.jsonl"
    lines = lines_of(records.run(), file)
    older = [json.loads(line) for line in (ROOT / "tests/data/record-schema-3.jsonl").read_text().splitlines()]
    made = lambda draw: changed_lines(draw.choice((lines, older)), draw)  # noqa: E731
    assert attacked(file, 1000, made, record.read, of_record) == []


def test_a_malformed_certificate_is_bad_input_in_every_command(tmp_path: Path) -> None:
    """One in a file of its own, and two by their lines."""
    named = [{"name": name, "certificate": PLAIN} for name in ("torch-a", "torch-b")]

    def made(draw: random.Random) -> bytes:
        if draw.randrange(2):
            return changed_lines(named, draw)
        data = json.dumps(changed_tree(PLAIN, draw), indent=1).encode()
        return changed_bytes(data, draw) if draw.randrange(4) == 0 else data

    def commands(file: str, output: str) -> list[list[str]]:
        return [["show", file], ["show", file, "--format", "markdown"], ["report", file, "--html", output]]

    assert attacked(tmp_path / "attack.json", 500, made, lambda file: shown.read([file]), commands) == []


#: A sweep of four shards of float16 logits, and what one of them may have found.
SWEEP = Spec(
    backend="numpy",
    whole=Shard(
        implementations=("textbook/eager/cpu",),
        form="logits",
        quantity="value",
        dtype="float16",
        start=0,
        stop=64,
        labels=Single((0, 0x3C00)),
        chunk=16,
    ),
    step=16,
)
BASIS = Basis(suite="0", versions={"numpy": "2"}, environment={}, machine={"processor": "any"}, code={"kernel": "k"})


def statistics() -> dict[str, Any]:
    """Sixteen results of which one has an error."""
    one = Statistics()
    one.points, one.ordinals, one.dtypes = 16, [15, 1, 0, 0], {"float16": 16}
    one.add_worst("ideal", "+s", 1.5, (3, 0), 7)
    one.add_first("zero", "+", (3, 0))
    return one.to_wire()


def test_a_malformed_checkpoint_is_bad_input(tmp_path: Path) -> None:
    """Every shard counts once, by its own index and digest; only a last line that is cut is done again."""
    file = tmp_path / "attack.partial.jsonl"
    found = {"textbook/eager/cpu": {label: statistics() for label in ("0", "3c00")}}
    checkpoint = open_checkpoint(file, SWEEP, BASIS, resume=False)
    for index in range(3):
        checkpoint.add(index, found)
    checkpoint.close()
    lines = [json.loads(line) for line in file.read_bytes().splitlines()]

    def made(draw: random.Random) -> bytes:
        return changed_lines(lines, draw)

    def read(file: Path) -> None:
        again = open_checkpoint(file, SWEEP, BASIS, resume=True)
        again.close()
        assert all(one == found for one in again.done.values())
        assert set(again.done) <= {0, 1, 2}

    assert attacked(file, 300, made, read, lambda *_: []) == []


def test_a_malformed_archive_of_numbers_is_bad_input(tmp_path: Path) -> None:
    """Of the archive and of the headers in it; what is still right is read as numbers."""
    stream = io.BytesIO()
    np.savez_compressed(stream, prediction=np.linspace(-3, 3, 20, dtype=np.float32), label=np.zeros(20))
    archive = stream.getvalue()

    def made(draw: random.Random) -> bytes:
        if draw.randrange(2):
            return changed_bytes(archive, draw)
        made = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(made, "w") as new:
            for name in old.namelist():
                data = old.read(name)
                new.writestr(draw.choice((name, f"x{name}", name[:5])), changed_bytes(data[:200], draw) + data[200:])
        return made.getvalue()

    assert attacked(tmp_path / "attack.npz", 400, made, own_numbers.from_file, lambda *_: []) == []


def test_whatever_a_worker_answers_is_judged_or_is_no_answer() -> None:
    """Plain, shared and presented calls; of each answer one value is taken out, replaced, doubled or renamed."""
    adapter = next(one for one in load_builtin("numpy") if one.name == "numpy")
    session = Session([adapter])
    session.open(adapter.name)
    asked = Filters(implementation=("numpy/log_textbook/eager/cpu",), dtype=("float32",))
    backend = Backend.from_wire(adapter.declaration(), source="numpy")
    requests = make_plan(load_suite(ROOT / "cases"), backend.implementations, asked).requests
    service = Service(Workers(log=io.BytesIO()), backend, requests, lambda *_: None, lambda *_: None)
    made = batches(enumerate(requests))
    kinds = {(one.combined, bool(one.first.presentations), one.call): one for one in reversed(made)}
    draw, refused = random.Random(SEED), 0
    for batch in kinds.values():
        header, arrays = session.evaluate(batch.message(0), batch.tensors)
        header = json.loads(json.dumps(header))
        assert len(service.understood(batch, Message(header, arrays))) in batch.counts
        for _ in range(1000 // len(kinds)):
            try:
                seen = service.understood(batch, Message(changed_tree(header, draw), arrays))
            except HarnessError as error:
                refused += "backend numpy: its worker sent no answer" in str(error)
                continue
            parts = batch.parted(seen) or {}
            judge = Judge([requests[index] for index, _ in batch.members])
            alone = batch.call if len(batch.first.calls) == 1 else ""
            judge.judge(
                [{batch.call: parts[index]} if alone and index in parts else None for index, _ in batch.members]
            )
    assert refused > 500


CASE_FILE = next((ROOT / "cases").glob("soft*.yaml"))
PROBLEM_FILE = sorted((ROOT / "known").glob("*.yaml"))[0]
ROWS = (ROOT / "results/recorded/scipy.tsv").read_bytes()


@pytest.mark.parametrize("source", [CASE_FILE, PROBLEM_FILE, ROOT / "cases" / "flags.yaml"], ids=lambda file: file.name)
def test_a_malformed_file_of_yaml_is_bad_input(tmp_path: Path, source: Path) -> None:
    """A case file, a problem, the flags."""
    file, data = tmp_path / source.name, source.read_bytes()

    def read(file: Path) -> None:
        done = CliRunner().invoke(main, ["lint", str(file)])
        if done.exit_code:
            assert done.exit_code == 2, done.exception
            raise InputError(done.output)

    def made(draw: random.Random) -> bytes:
        return changed_bytes(data, draw)

    assert attacked(file, 150, made, read, lambda *_: []) == []


def test_a_malformed_line_of_what_is_recorded_is_bad_input(tmp_path: Path) -> None:
    """Whatever of it is changed."""
    folder = tmp_path / "known"
    (folder / "recorded").mkdir(parents=True)
    lines = b"".join(ROWS.splitlines(keepends=True)[:20])

    def made(draw: random.Random) -> bytes:
        return changed_bytes(lines, draw)

    def read(file: Path) -> None:
        load((place(folder),))

    assert attacked(folder / "recorded" / "attack.tsv", 300, made, read, lambda *_: []) == []


@pytest.mark.slow
def test_a_malformed_adapter_file_is_bad_input(tmp_path: Path) -> None:
    """Whatever it raises, prints or ends; each costs a process."""
    source = (ROOT / "tests/data/adapters/correctly_rounded.py").read_bytes()

    def made(draw: random.Random) -> bytes:
        ends = (
            b"import sys; sys.exit(3)",
            b"raise SystemExit",
            b"adapters = 1",
            b"adapters = [1]",
            b"import os; os._exit(9)",
        )
        return changed_bytes(source, draw) if draw.randrange(2) else draw.choice(ends)

    def read(file: Path) -> None:
        with runs.open_pool(runs.Options()) as pool:
            pool.discover([file])

    assert attacked(tmp_path / "attack.py", 20, made, read, lambda *_: []) == []


@pytest.mark.parametrize(
    "command",
    [["lint"], ["show"], ["report"], ["diff", "x"], ["known", "check"], ["try", "--form", "logits", "--input"]],
)
def test_what_is_no_regular_file_is_bad_input(tmp_path: Path, command: list[str]) -> None:
    """A pipe without a writer, a device without an end, a link to itself."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for file in (tmp_path / "pipe", tmp_path / "loop", Path("/dev/zero")):
        done = CliRunner().invoke(main, [*command, str(file)])
        assert (done.exit_code, type(done.exception)) == (2, SystemExit), done.output


def test_what_unpacks_to_more_than_a_record_is_bad_input(tmp_path: Path) -> None:
    """Lines without end, and a line without end: neither is kept in memory."""
    head = lines_of(records.run(), tmp_path / "run.jsonl")[0]
    for name, filling in (("lines", b"\n" * (1 << 26)), ("line", b" " * (1 << 26))):
        file = tmp_path / f"{name}.jsonl"
        file.write_bytes(gzip.compress(json.dumps(head).encode() + b"\n" + filling, compresslevel=1, mtime=0))
        with pytest.raises(InputError, match=f"{name}.jsonl:"):
            record.read(file)


@pytest.mark.parametrize(
    ("words", "code"), [(["show", "RUN", "--all"], 0), (["diff", "RUN", "RUN"], 0), (["--help"], 0)]
)
def test_a_reader_of_standard_output_may_leave(tmp_path: Path, words: list[str], code: int) -> None:
    """The command ends as if all had been read; where the disk is full it says so and ends with 3."""
    record.write(records.run(), tmp_path / "RUN")
    command = [sys.executable, "-m", "conformance", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    read_end, write_end = os.pipe()
    os.close(read_end)
    for stream, expected in ((write_end, code), (os.open("/dev/full", os.O_WRONLY), 3)):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, stdout=stream, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(stream)
        assert done.returncode == expected, done.stderr
        assert "Traceback" not in done.stderr
    assert "cannot be written: No space left" in done.stderr


@pytest.mark.parametrize("folder", ["missing", "dangling", "empty"])
def test_a_record_that_is_not_there_is_bad_input_of_lint(tmp_path: Path, folder: str) -> None:
    """Nothing that is checked is nothing that is right."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    done = CliRunner().invoke(main, ["lint", "--known", str(tmp_path / folder)])
    assert (done.exit_code, folder in done.stderr) == (2, True), done.output


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            'File "/srv/x/.venv/lib/python3.11/site-packages/torch/nn/f.py", line 3',
            'File "site-packages/torch/nn/f.py", line 3',
        ),
        (
            "defined at (most recent call last): /opt/someone/project/train.py:12",
            "defined at (most recent call last): …/train.py:12",
        ),
        ("/srv/x/dist-packages/numpy", "dist-packages/numpy"),
        ("a/b.py, 3/4 and https://example.org/x/y.py", "a/b.py, 3/4 and https://example.org/x/y.py"),
        ("labels in [0, 1] / probabilities", "labels in [0, 1] / probabilities"),
    ],
)
def test_an_exception_tells_of_no_folder_of_the_machine(said: str, told: str) -> None:
    """Which file it was stays; other words that have a slash, too."""
    assert anonymous(said) == told
