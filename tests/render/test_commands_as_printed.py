"""What a finding or a certificate tells a reader to type works as it is printed, in whatever form it is printed."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import html5lib
import pytest
from markdown_it import MarkdownIt

from conformance.adapters.declaration import PLAIN_CALL
from conformance.record import record
from conformance.record.record import RunRecord
from conformance.record.spelled import Asked, command, explain
from conformance.sweep import certificate

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
ADAPTERS = ROOT / "tests" / "data" / "adapters"

#: Files as they are named on the command line: a shell must be told that their names are one word.
WRONG, SWEEPABLE, CASES = "my adapters/wrong log.py", "my adapters/sweepable.py", "my cases"

#: A case that `wrong_log.py` fails, and its implementation.
CASE, IMPLEMENTATION = "hard-labels/probabilities", "wrong/log_of_one_minus_p/eager/cpu"

#: A run of that case with everything that another command must be told, too.
WHERE = ("--adapter", WRONG, "--python", f"wrong={sys.executable}", "--device", "cpu", "--timeout", "30")
RUN = ("--backend", "wrong", "--case", CASE, "--dtype", "float32", "--no-sample", "--all")

FORMS = ("github", "html", "json", "junit", "markdown", "summary")


def bce_conformance(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command of this checkout in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "conformance", *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def typed(line: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line as a shell would take it apart."""
    program, *words = shlex.split(line)
    assert program == "bce-conformance"
    return bce_conformance(*words, cwd=cwd, **environment)


def shows_the_finding(line: str, cwd: Path, **environment: str) -> None:
    """The line runs the case on the implementation, and finds what the run found."""
    done = typed(line, cwd, **environment)
    assert done.returncode in (0, 1), (line, done.stderr)
    assert CASE in done.stdout, line
    name = IMPLEMENTATION.removesuffix(PLAIN_CALL)
    assert re.search(rf"^✗ {name} .* instead of .*\(float32", " ".join(done.stdout.split())), (line, done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an adapter file, a folder of cases, and a run that was printed in every form."""
    made = tmp_path_factory.mktemp("printed")
    (made / "my adapters").mkdir()
    (made / CASES).mkdir()
    shutil.copyfile(ADAPTERS / "wrong_log.py", made / WRONG)
    shutil.copyfile(ADAPTERS / "sweepable.py", made / SWEEPABLE)
    for name in ("flags.yaml", "hard-labels.yaml"):
        shutil.copyfile(ROOT / "cases" / name, made / CASES / name)
    reports = [word for form in FORMS for word in ("--report", f"{form}=out.{form}")]
    done = bce_conformance("run", *WHERE, "--cases", CASES, *RUN, "--output", "run.jsonl", *reports, cwd=made)
    assert done.returncode == 1, done.stderr
    (made / "out.text").write_text(done.stdout)
    return made


@pytest.fixture(scope="module")
def ran(folder: Path) -> RunRecord:
    """The record of that run."""
    return record.read(folder / "run.jsonl")


def data_of(page: str) -> dict[str, dict[str, list[str]]]:
    """The data of a page."""
    packed = html5lib.parse(page, namespaceHTMLElements=False).find(".//script[@id='data']").text
    found: dict[str, dict[str, list[str]]] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return found


def code_of(markdown: str) -> Iterator[str]:
    """What a page of Markdown shows as code."""
    shown = MarkdownIt("commonmark").enable("table").render(markdown)
    page = html5lib.parse(shown, namespaceHTMLElements=False)
    return ("".join(one.itertext()) for one in page.iter("code"))


def lines_of(form: str, text: str) -> Iterator[str]:
    """The lines of a document as its readers see them."""
    if form == "json":
        yield from (one["example"]["command"] for one in json.loads(text)["causes"])
    elif form == "html":
        yield from data_of(text)["names"]["command"]
    elif form == "junit":
        yield from (line for one in ET.fromstring(text).iter("failure") for line in (one.text or "").splitlines())
    elif form == "github":
        yield from (line for command in text.splitlines() for line in unquote(command).splitlines())
    elif form in ("markdown", "summary"):
        yield from code_of(text)
    else:
        yield from (line.partition(" · ")[0] for line in text.splitlines())


def commands(form: str, text: str) -> set[str]:
    """The commands that a document tells a reader to type."""
    found = (re.fullmatch(r"(?:\s+|next: )?(bce-conformance explain .*)", line) for line in lines_of(form, text))
    return {one[1] for one in found if one}


@pytest.mark.parametrize("form", ["text", *FORMS])
def test_every_form_prints_the_whole_command(form: str, folder: Path) -> None:
    """Adapter, interpreter, device, limit and folder of cases stand in it, each as it was given."""
    asked = Asked((WRONG,), (f"wrong={sys.executable}",), "cpu", CASES, 30.0)
    assert commands(form, (folder / f"out.{form}").read_text()) == {explain(CASE, IMPLEMENTATION, "float32", asked)}


def test_the_printed_command_shows_the_finding(folder: Path, ran: RunRecord) -> None:
    """All forms print the same one, which is run as it stands there."""
    (line,) = commands("text", (folder / "out.text").read_text())
    assert {finding.outcome for check in ran.checks for finding in check.findings} == {"new"}
    shows_the_finding(line, folder)


def test_a_run_that_is_shown_again_prints_the_same_command(folder: Path) -> None:
    """The record tells what was asked; the command line that made it is gone."""
    shown = bce_conformance("show", "run.jsonl", "--all", cwd=folder)
    assert commands("text", shown.stdout) == commands("text", (folder / "out.text").read_text())


def test_the_command_that_pytest_prints_shows_the_finding(folder: Path) -> None:
    """Pytest takes the adapter and the interpreter, and runs the cases of the suite."""
    words = ["-q", "-p", "no:cacheprovider", str(ROOT / "cases/hard-labels.yaml"), *WHERE[:4], *RUN[:6]]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1, done.stdout
    (line,) = commands("text", done.stdout)
    assert "--cases" not in line
    shows_the_finding(line, folder)


def test_a_report_of_the_finding_is_made_from_the_record_with_the_same_options(folder: Path) -> None:
    """`repro` is told where adapters and cases are; its files name no further command of the suite to type."""
    done = bce_conformance("repro", "run.jsonl", *WHERE, "--cases", CASES, "--output", "report", cwd=folder)
    assert done.returncode == 0, done.stderr
    files = sorted((folder / "report").iterdir())
    assert [one.name for one in files] == ["issue.md", "repro.py"]
    assert not any("bce-conformance " in text for text in (done.stdout, *(one.read_text() for one in files)))


def test_a_file_of_the_home_folder_is_named_from_there(folder: Path, tmp_path: Path) -> None:
    """A record tells no name of a user; commands take `~` themselves, whatever shell they are typed into."""
    home, elsewhere = tmp_path / "somebody", tmp_path / "work"
    elsewhere.mkdir()
    home.mkdir()
    shutil.copyfile(folder / WRONG, home / "wrong.py")
    words = ("--adapter", str(home / "wrong.py"), *RUN, "--output", "run.jsonl")
    done = bce_conformance("run", *words, cwd=elsewhere, HOME=str(home))
    assert record.read(elsewhere / "run.jsonl").header.asked == Asked(("~/wrong.py",))
    assert "somebody" not in (elsewhere / "run.jsonl").read_text()
    (line,) = commands("text", done.stdout)
    shows_the_finding(line, elsewhere, HOME=str(home))


def test_a_file_below_the_current_folder_is_named_from_there(folder: Path, tmp_path: Path) -> None:
    """An absolute path may tell whose folder it is; the reader is in it."""
    shutil.copyfile(folder / WRONG, tmp_path / "wrong.py")
    words = ("--adapter", str(tmp_path / "wrong.py"), *RUN, "--output", "run.jsonl")
    done = bce_conformance("run", *words, cwd=tmp_path)
    assert record.read(tmp_path / "run.jsonl").header.asked == Asked(("./wrong.py",))
    (line,) = commands("text", done.stdout)
    shows_the_finding(line, tmp_path)


def test_the_command_of_a_certificate_makes_the_same_certificate(folder: Path) -> None:
    """With adapter and chunk, byte for byte; Markdown and the page show it as it is."""
    words = ["--implementation", "sweepable/no_tail", "--dtype", "float16", "--label", "0", "--label", "-0.5"]
    words += ["--positions", "0:4096", "--chunk", "1024", "--adapter", SWEEPABLE, "--output", "out"]
    assert bce_conformance("sweep", *words, cwd=folder).returncode == 0
    (file,) = (folder / "out").iterdir()
    line = certificate.read(file).command
    assert shlex.split(line)[-4:] == ["--chunk", "1024", "--adapter", SWEEPABLE]
    for form in ("markdown", "html"):
        shown = bce_conformance("show", str(file), "--format", form, cwd=folder).stdout
        assert line in (shown if form == "markdown" else data_of(shown)["sweeps"]["groups"][0]["command"])
    again = typed(line, folder)
    assert again.returncode == 0, again.stderr
    assert (folder / again.stdout.splitlines()[-1]).read_bytes() == file.read_bytes()


def test_the_command_of_a_search_shows_what_it_found(folder: Path) -> None:
    """It names adapter and implementation, whose mode `try` would otherwise leave out."""
    words = ("sweepable/no_tail", "--adapter", SWEEPABLE, "--inputs", "2000", "--label", "0")
    done = bce_conformance("hunt", *words, cwd=folder)
    lines = [line.strip() for line in done.stdout.splitlines() if "bce-conformance try " in line]
    assert lines, done.stderr
    for line in lines:
        shown = typed(line, folder)
        assert shown.returncode == 1, shown.stderr
        assert re.search(r"^. sweepable/no_tail  .*\(float32", shown.stdout), line


def test_a_word_that_begins_with_a_dash_is_no_option() -> None:
    """Negative numbers and names with spaces are each one word to a shell."""
    line = command("try", prediction="-inf", label=("0", "-1"), form=None, adapter=("a b.py",))
    assert line == "bce-conformance try --prediction=-inf --label 0 --label=-1 --adapter 'a b.py'"


def test_a_record_without_what_was_asked_is_still_read() -> None:
    """Older records have no such field: their commands are as they were."""
    kept = record.read(ROOT / "tests" / "data" / "record-schema-2.jsonl")
    assert kept.header.asked == Asked()
