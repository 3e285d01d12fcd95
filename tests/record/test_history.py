"""The history of many runs: read from the ends of their records, drawn without a network, and honest about gaps."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import html5lib
import msgspec
import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.errors import InputError
from conformance.judge.harm import Harm
from conformance.record import ends, history
from conformance.record import record as records
from conformance.record.record import BackendLine, RunRecord
from conformance.record.tally import tallies
from conformance.render import history as render
from tests.diagnosis.test_changed import run as run_of
from tests.diagnosis.test_changed import softplus_of_size
from tests.diagnosis.test_why import from_logits
from tests.records import CHECKS, HOSTILE, OTHER, PLAIN, STRANGE, check, interrupted, run, with_header

DATA = Path(__file__).parents[1] / "data"
HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"

SUFFIXES = ("jsonl", "jsonl.gz")


def day(number: int, record: RunRecord | None = None, **header: object) -> RunRecord:
    """A record of a day in March."""
    return with_header(record or run(), started=f"2026-03-{number:02}T00:00:00+00:00", **header)


def kept(folder: Path, *made: RunRecord, suffix: str = "jsonl") -> Path:
    """A folder with some records."""
    for index, one in enumerate(made):
        records.write(one, folder / f"{index}.{suffix}")
    return folder


def torch(version: str) -> tuple[BackendLine, ...]:
    """The backends of a run with a version of PyTorch."""
    return (
        BackendLine(name="torch", versions={"torch": version, "numpy": "2"}),
        BackendLine(name="numpy", versions={"numpy": "2"}),
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_ends_of_a_record_are_those_of_the_whole(tmp_path: Path, suffix: str) -> None:
    """Header, tallies and footer, plain and compressed."""
    file = kept(tmp_path, run(), suffix=suffix) / f"0.{suffix}"
    whole = records.read(file)
    assert ends.read(file) == ends.Ends(file, whole.header, whole.tallies, whole.footer)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_checks_are_not_read(tmp_path: Path, suffix: str) -> None:
    """Damage between the ends goes unnoticed, which shows that nobody looked there."""
    file = kept(tmp_path, run(tuple(check(PLAIN, "conforms", quantity=f"q{n}") for n in range(500))), suffix=suffix)
    file = file / f"0.{suffix}"
    good, data = ends.read(file), bytearray(file.read_bytes())
    tail = len(json.dumps(msgspec.to_builtins(good.tallies))) + 1_000
    place = len(data) - tail if suffix == "jsonl" else int(len(data) * 0.6)
    data[place] ^= 0x55
    file.write_bytes(data)
    with pytest.raises(InputError):
        records.read(file)
    assert ends.read(file) == good


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_more_tallies_than_the_first_look_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """The tail is read further back until something else stands before the tallies."""
    names = [f"torch/loss{n}/eager/cpu" for n in range(60)]
    file = kept(tmp_path, run(tuple(check(name, "conforms") for name in names)), suffix=suffix) / f"0.{suffix}"
    for length in (1, 100, 1_000, 5_000, 1_000_000):
        monkeypatch.setattr(ends, "TAIL", length)
        assert [line.implementation for line in ends.read(file).tallies] == names


@pytest.mark.parametrize("version", range(1, records.SCHEMA + 1))
def test_a_record_of_every_schema_has_tallies(version: int) -> None:
    """Where the file has none they are those of its checks."""
    file = DATA / f"record-schema-{version}.jsonl"
    whole = records.read(file)
    assert ends.read(file).tallies == tallies(whole)
    assert ends.read(file).footer == whole.footer


def test_a_record_that_was_compressed_by_another_program_is_read(tmp_path: Path) -> None:
    """One gzip member, with a time: the ends are not apart from the rest, and are found all the same."""
    file = kept(tmp_path, run()) / "0.jsonl"
    packed = tmp_path / "1.jsonl.gz"
    packed.write_bytes(gzip.compress(file.read_bytes(), mtime=1))
    assert msgspec.structs.asdict(ends.read(packed).header) == msgspec.structs.asdict(ends.read(file).header)
    assert ends.read(packed).tallies == ends.read(file).tallies


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_record_cut_anywhere_is_interrupted_and_has_no_counts(tmp_path: Path, suffix: str) -> None:
    """A part of the tallies is not taken for all of them."""
    file = kept(tmp_path, run(), suffix=suffix) / f"0.{suffix}"
    data = file.read_bytes()
    header = len(msgspec.json.encode(run().header)) + 1 if suffix == "jsonl" else len(data) // 2
    for length in range(header, len(data), 37):
        file.write_bytes(data[:length])
        found = ends.read(file)
        assert (found.footer, found.tallies) == (None, ())
    assert records.read(file).interrupted


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_record_without_a_footer_has_no_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """Although its tallies are there, as a run leaves them that was ended by Ctrl-C; and its checks are not read."""
    file = kept(tmp_path, interrupted(run()), suffix=suffix) / f"0.{suffix}"
    assert records.read(file).tallies
    monkeypatch.setattr(records, "read", lambda file: pytest.fail("the checks are read"))
    assert (ends.read(file).footer, ends.read(file).tallies) == (None, ())


@pytest.mark.parametrize("data", [b"", b"{}\n", b"garbage", b"\x1f\x8b garbage", gzip.compress(b"garbage\n", mtime=1)])
def test_what_is_no_record_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    """A history with a hole that nobody sees would be worse than none."""
    (tmp_path / "run.jsonl").write_bytes(data)
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'run.jsonl'}:1: ")):
        history.load(tmp_path)


def test_a_newer_schema_is_refused_by_name(tmp_path: Path) -> None:
    """As every reader of a record does."""
    kept(tmp_path, with_header(run(), schema=records.SCHEMA + 1))
    with pytest.raises(InputError, match="is newer than this suite reads"):
        history.load(tmp_path)


def test_runs_are_in_the_order_of_their_dates(tmp_path: Path) -> None:
    """Not of their names; records in folders below count, too, and other files do not."""
    kept(tmp_path / "b" / "c", day(3), day(1))
    kept(tmp_path / "a", day(2), suffix="jsonl.gz")
    (tmp_path / "notes.txt").write_text("not a record")
    assert [one.ends.header.started[8:10] for one in history.load(tmp_path).runs] == ["01", "02", "03"]


def test_a_series_holds_what_each_run_counted(tmp_path: Path) -> None:
    """Over dtypes counts are added and errors are the largest; a backend's is that of its implementations."""
    found = history.load(kept(tmp_path, day(1), day(2, run(CHECKS[:2]))))
    by_backend = {one.name: one.points for one in found.by_backend()}
    assert set(by_backend) == {"torch", "numpy"}
    first, second = by_backend["torch"]
    assert first is not None
    assert second is not None
    assert first.verdicts == {"deviates": 2, "by-contract": 1, "rejects": 1}
    assert first.outcomes == {"new": 1, "as expected": 2, "recorded": 1}
    assert first.worst == {"value": 1e9, "gradient-prediction": 1e9}
    assert second.verdicts == {"deviates": 1, "by-contract": 1}
    assert by_backend["numpy"][1] is None, "numpy was not in the second run"
    assert [one.name for one in found.by_implementation("torch")] == sorted([STRANGE, PLAIN])


def test_problems_are_counted_by_the_worst_harm_that_they_do(tmp_path: Path) -> None:
    """Once for a backend, however many implementations show it; a run of before there were problems tells nothing."""
    drifts = msgspec.structs.replace(CHECKS[2], bits=("3f317218", "3f0f5c29"))
    unnamed = tuple(msgspec.structs.replace(one, problem="") for one in drifts.findings)
    old = msgspec.structs.replace(drifts, findings=unnamed)
    breaks = msgspec.structs.replace(drifts, id="x", implementation=STRANGE, bits=("3f317218", "7fc00000"))
    found = history.load(kept(tmp_path, day(1, run((old,))), day(2, run((drifts,))), day(3, run((drifts, breaks)))))
    (series,) = found.by_backend()
    assert [point and point.harmed(Harm.BREAKS) for point in series.points] == [None, 0, 1]
    assert [row.cells[render.columns(series).index("breaks")] for row in render.rows(found, series)] == ["–", "0", "1"]


def test_the_worst_error_is_that_of_all_dtypes(tmp_path: Path) -> None:
    """Wherever it stands in the record."""
    one = check(OTHER, "conforms", ulp=(5.0, 7.0))
    half = msgspec.structs.replace(one, dtype="float16", ulp=(2.0, 3.0))
    for checks in ((one, half), (half, one)):
        (series,) = history.load(kept(tmp_path, run(checks))).by_backend()
        assert [point and point.worst for point in series.points] == [{"value": 7.0}]


def test_runs_that_count_something_else_are_marked(tmp_path: Path) -> None:
    """Against the newest complete run: cut ones, ones of other cases and ones with other filters; a backend is none."""
    found = history.load(
        kept(
            tmp_path,
            day(1, cases="e" * 64),
            day(2, filters={"mode": ["eager"], "preset": ["quick"]}),
            day(3, filters={"mode": ["eager"], "backend": ["torch"]}),
            day(4),
            day(5, interrupted(run()), cases="f" * 64),
        )
    )
    assert [one.marks for one in found.runs] == [
        ("other cases",),
        ("other filters",),
        (),
        (),
        ("INTERRUPTED", "other cases"),
    ]


def test_a_run_in_which_checks_were_not_run_is_marked(tmp_path: Path) -> None:
    """Its counts are those of a part."""
    whole = run()
    assert whole.footer is not None
    partial = RunRecord(
        header=whole.header,
        inputs=whole.inputs,
        checks=whole.checks,
        footer=msgspec.structs.replace(whole.footer, not_run=9, absent=2),
    )
    assert history.load(kept(tmp_path, partial)).runs[0].marks == ("7 checks not run",)


def document(page: str) -> ET.Element:
    """The page as a parser that refuses every mistake reads it."""
    root: ET.Element = html5lib.HTMLParser(strict=True).parse(page)
    return root


def drawings(page: str) -> dict[str, ET.Element]:
    """The plots by the name of what they draw."""
    found = document(page).iter(f"{SVG}svg")
    return {label.split(": ")[0]: one for one in found if (label := one.get("aria-label"))}


def rectangles(plot: ET.Element, kind: str) -> list[tuple[float, float, float, float]]:
    """Left, top, width and height of the rectangles of a path."""
    number = r"(-?[0-9.]+)"
    found = []
    for path in plot.iter(f"{SVG}path"):
        if path.get("class") == kind:
            pattern = rf"M{number} {number}h{number}v{number}h{number}z"
            assert re.fullmatch(rf"({pattern})+", path.get("d", ""))
            found += [tuple(map(float, parts[:4])) for parts in re.findall(pattern, path.get("d", ""))]
    return found


def count(verdict: str, number: int) -> tuple[records.CheckLine, ...]:
    """So many checks of one implementation with a verdict."""
    return tuple(check(OTHER, verdict, quantity=f"{verdict}-{n}", ulp=(), bits=()) for n in range(number))


@pytest.fixture
def mixed(tmp_path: Path) -> history.History:
    """Four runs of 3, none, 6 and 6 checks, of which the second was interrupted and the first is of other cases."""
    some, many = count("conforms", 2) + count("deviates", 1), count("conforms", 4) + count("deviates", 2)
    return history.load(
        kept(
            tmp_path, day(1, run(some), cases="e" * 64), day(2, interrupted(run(many))), day(3, run(many)),
            day(4, run(many)),
        )
    )  # fmt: skip


def test_the_page_is_valid_and_needs_nothing_else(mixed: history.History) -> None:
    """A strict parser takes it; it has no script, no link to a resource and no address to fetch."""
    root = document(render.render(mixed))
    tags = {element.tag for element in root.iter() if isinstance(element.tag, str)}
    assert not tags & {f"{HTML}{name}" for name in ("script", "link", "img", "iframe", "object", "video", "audio")}
    assert not [one for one in root.iter() if any(name in one.attrib for name in ("src", "href", "onclick", "onload"))]
    text = render.render(mixed)
    assert "@import" not in text
    assert set(re.findall(r"url\(([^)]*)\)", text)) == {"#hatch", "#cross"}
    assert "prefers-color-scheme: dark" in text


def test_bars_are_as_high_as_their_counts(mixed: history.History) -> None:
    """The worst verdict lowest, 2 of 6 checks a third of the height, equal neighbours in one rectangle."""
    plot = drawings(render.render(mixed))["numpy"]
    ((left, top, width, height),) = rectangles(plot, "v-deviates")[1:]
    ((_, top_, width_, height_),) = rectangles(plot, "v-conforms")[1:]
    assert height_ == pytest.approx(2 * height, abs=0.02)
    assert top_ + height_ == pytest.approx(top, abs=0.02)
    assert width == width_
    ((first_left, _, first_width, first_height), _) = rectangles(plot, "v-deviates")
    assert first_height == pytest.approx(height / 2, abs=0.02)
    assert width == pytest.approx(2 * first_width, abs=0.2)
    assert left == pytest.approx(first_left + 2 * first_width, abs=0.2)


def test_an_interrupted_run_is_a_gap_that_is_marked(mixed: history.History) -> None:
    """No bar stands in its slot, not even one of no height, and the slot is hatched in its own way."""
    plot = drawings(render.render(mixed))["numpy"]
    ((left, _, width, _),) = rectangles(plot, "interrupted")
    bars = [one for verdict in ("v-deviates", "v-conforms") for one in rectangles(plot, verdict)]
    assert all(x + w <= left + 0.1 or x >= left + width - 0.1 for x, _, w, _ in bars)
    assert len(rectangles(plot, "marked")) == 1
    assert rectangles(plot, "marked")[0][0] < left


def test_an_interrupted_run_has_no_number_in_any_table(mixed: history.History) -> None:
    """Neither 0 nor what was seen until then; the page says at its start how many there are."""
    page = render.render(mixed)
    (row,) = [row for row in document(page).iter(f"{HTML}tr") if "2026-03-02 00:00" in "".join(row.itertext())]
    cells = ["".join(cell.itertext()) for cell in row]
    assert cells[1] == "INTERRUPTED"
    assert set(cells[3:]) == {"–"}
    assert "1 interrupted: such a run has no counts" in page


def test_an_error_is_drawn_on_a_logarithmic_scale(tmp_path: Path) -> None:
    """Equal factors are equal distances, larger ones higher, and the line breaks where a run has no error."""
    errors = (1.0, 100.0, None, 10_000.0)
    made = [day(n + 1, run((check(OTHER, "conforms", ulp=(error, None)),))) for n, error in enumerate(errors)]
    plot = drawings(render.render(history.load(kept(tmp_path, *made))))["numpy"]
    (line,) = [one.get("d", "") for one in plot.iter(f"{SVG}path") if one.get("class") == "q-value"]
    pens, heights = zip(*[(pen, float(y)) for pen, y in re.findall(r"([ML])[0-9.]+ ([0-9.]+)", line)], strict=True)
    assert pens == ("M", "L", "M")
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.2)
    assert heights[0] > heights[1]


def test_a_new_version_has_a_rule_and_a_name(tmp_path: Path) -> None:
    """Where a version changed the plot says to which; where it did not there is no rule."""
    made = [day(n + 1, backends=torch(version)) for n, version in enumerate(["2.0", "2.0", "2.1", "2.1"])]
    plot = drawings(render.render(history.load(kept(tmp_path, *made))))["torch"]
    (rules,) = [one.get("d", "") for one in plot.iter(f"{SVG}path") if one.get("class") == "rule"]
    assert rules.count("M") == 2
    texts = [one.text for one in plot.iter(f"{SVG}text")]
    assert "torch 2.0" in texts
    tips = ["".join(one.itertext()) for one in plot.iter(f"{SVG}title")]
    assert [re.search(r"torch [0-9.]+", tip)[0] for tip in tips] == ["torch 2.0", "torch 2.0", "torch 2.1", "torch 2.1"]  # type: ignore[index]


def test_the_caption_compares_with_the_last_comparable_run(tmp_path: Path) -> None:
    """A narrower run between the two is passed over."""
    made = (
        day(1, run(count("conforms", 5) + count("deviates", 1))),
        day(2, run(count("conforms", 1)), filters={"preset": ["quick"]}),
        day(3, run(count("conforms", 3) + count("deviates", 3))),
    )
    page = render.render(history.load(kept(tmp_path, *made)))
    assert "conforms 3 (-2), deviates 3 (+2), against 2026-03-01." in page


def test_text_of_a_framework_is_escaped(tmp_path: Path) -> None:
    """Versions and names are text wherever they stand."""
    name = f"torch/{HOSTILE.replace('/', '')}/eager/cpu"
    record = day(1, run((check(name, "conforms"),)), backends=(BackendLine(name="torch", versions={"torch": HOSTILE}),))
    page = render.render(history.load(kept(tmp_path, record)))
    tags = {element.tag for element in document(page).iter() if isinstance(element.tag, str)}
    assert f"{HTML}script" not in tags
    assert "{{ 7*7 }}" in page
    assert "alert(1)" in page


def test_a_history_of_interrupted_runs_alone_is_no_empty_success(tmp_path: Path) -> None:
    """Page and terminal say it; there is nothing to draw."""
    folder = kept(tmp_path, interrupted(run()), interrupted(run()))
    done = CliRunner().invoke(main, ["history", str(folder), "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.output
    assert done.stdout == "2 runs, 2 INTERRUPTED\n"
    assert "2 interrupted" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert drawings((tmp_path / "page.html").read_text(encoding="utf-8")) == {}


def test_the_command_prints_the_last_runs_of_each_backend(tmp_path: Path) -> None:
    """A row for each run, the marks in words, and no more than asked for."""
    folder = kept(tmp_path, day(1, cases="e" * 64), day(2), day(3, interrupted(run())), suffix="jsonl.gz")
    lines = CliRunner().invoke(main, ["history", str(folder)]).stdout.splitlines()
    assert [line.split()[0] for line in lines if line and not line.startswith(" ")] == ["numpy", "torch", "3"]
    assert sum("2026-03-01" in line and "other cases" in line for line in lines) == 2
    assert sum("2026-03-03" in line and "INTERRUPTED" in line for line in lines) == 2
    assert lines[-1] == "3 runs, 1 INTERRUPTED"
    fewer = CliRunner().invoke(main, ["history", str(folder), "--last", "1"]).stdout
    assert "2026-03-02" not in fewer
    assert "2026-03-03" in fewer


@pytest.mark.parametrize(("folder", "message"), [("nowhere", "no such folder"), (".", "must hold run records")])
def test_no_history_is_bad_input(tmp_path: Path, folder: str, message: str) -> None:
    """Exit code 2, the next step, and no page."""
    done = CliRunner().invoke(main, ["history", str(tmp_path / folder), "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 2
    assert message in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_formulas_that_changed_are_told_where_they_are_asked_for(tmp_path: Path) -> None:
    """Between the two runs that they changed between."""
    folder = kept(tmp_path, *(day(n + 1, run_of(one, "float32")) for n, one in enumerate(LOSSES)))
    assert "the formula changed" not in CliRunner().invoke(main, ["history", str(folder)]).output
    lines = CliRunner().invoke(main, ["history", str(folder), "--formulas"]).output.splitlines()
    assert [line for line in lines if "the formula changed" in line] == [
        "2026-03-02 00:00 → 2026-03-03 00:00: numpy/loss/eager/cpu value in float32: the formula changed: "
        "(1 - y)*z - log_sigmoid(z) → max(z, 0) - z*y + log1p(exp(-|z|))"
    ]


#: Of three days.
LOSSES = (from_logits, from_logits, softplus_of_size)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_count_is_cut_in_any_width(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Where the table does not fit each run is a line that names its counts."""
    folder = tmp_path / "runs"
    folder.mkdir()
    shutil.copy(DATA / "record-schema-3.jsonl", folder / "run.jsonl")
    monkeypatch.setenv("COLUMNS", str(width))
    printed = CliRunner().invoke(main, ["history", str(folder)]).stdout
    assert "…" not in printed
    assert all(len(line) <= width for line in printed.splitlines())
    assert {"conforms", "new", "fixed"} <= set(re.split(r"[\s,:]+", printed))
