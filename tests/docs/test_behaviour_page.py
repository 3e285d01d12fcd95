"""docs/behaviour-by-version.md is what its records say, and says what it has to say."""

from __future__ import annotations

import ast
import gzip
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.version import Version

from conformance.errors import InputError
from conformance.plan import cases
from conformance.record import record
from tests.records import run
from tools.renew import versions

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "behaviour-by-version.md").read_text(encoding="utf-8")

#: Bytes that the records may take in the repository.
LARGEST = 2_000_000

#: Columns of what the question's own call printed, as it was asked and answered, and what Keras 2 prints today.
KERAS, TF_KERAS = "keras 2.2.4", "tf-keras 2.21.0"


def table(heading: str) -> list[dict[str, str]]:
    """The rows of the first table below a heading, by the names of its columns."""
    lines = PAGE.split(f"\n{heading}\n")[1].splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def test_the_historical_version_prints_what_the_question_printed() -> None:
    """The historical values of the cases, within one unit in the last place of float32; the second shows the clip."""
    suite = cases.load_suite(ROOT / "cases")
    historical = {one.case.id: one.case.historical for one in suite.cases if one.case.historical is not None}
    seen = {row["experiment"].strip("`"): row[KERAS] for row in table("## The question's experiments")}
    assert seen.keys() == {name for name in historical if name.startswith("question/")}
    for name, printed in seen.items():
        assert float(printed) == pytest.approx(float(historical[name].value), rel=2**-22)
    assert seen["question/soft-extreme"] == "8.01512"


def test_keras_2_of_today_prints_another_number() -> None:
    """It adds 1e-7 inside the logarithms: the mean of -log(1e-7 + 1e-7) / 2 and -log(2^-23 + 1e-7) / 2."""
    wanted = -(math.log(2e-7) + math.log(2**-23 + 1e-7)) / 4 + -(math.log(1 - 1e-7 + 1e-7) + math.log(1.0)) / 4
    row = next(one for one in table("## The question's experiments") if "soft-extreme" in one["experiment"])
    assert row[TF_KERAS] == "7.6895466"
    assert float(row[TF_KERAS]) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("name", [name for name in versions.PACKAGES if name != "torch"])
def test_each_package_was_run_in_at_least_four_versions_of_different_years(name: str) -> None:
    """Of PyTorch one version alone has a small build for CPUs."""
    rows = table(f"### {versions.PACKAGES[name]}")
    assert len(rows) >= 4
    assert len({row["released"][:4] for row in rows}) >= 3


def test_the_release_that_fixed_the_focal_loss_is_named() -> None:
    """Optax 0.2.6, with NaN before and 0 after, at the logit 1000 with exponent 0 of the example."""
    found = versions.searches()["optax-focal-nan"]
    assert (found["package"], found["last"], found["first"]) == ("optax", "0.2.5", "0.2.6")
    (watched,) = found["outputs"]
    flags = cases.load_flags(ROOT / "cases" / "flags.yaml")
    (example,) = cases.load_files([ROOT / "docs" / "examples" / "focal-gamma-zero.yaml"], flags)
    (element,) = example.case.elements
    assert watched["what"].startswith(f"{example.case.id}::jax/optax.losses.sigmoid_focal_loss/")
    assert watched["what"].endswith(f"::gradient-prediction#{element.id}")
    assert (element.prediction, element.label, example.case.parameters) == ("1000", "1", {"gamma": "0"})
    row = next(one for one in table("## Where exactly") if one["first"] == "0.2.6")
    assert row["before"].startswith("nan")
    assert row["after"].startswith("0 ")


def test_the_adapter_of_the_historical_version_is_python_3_7() -> None:
    """It runs where that version does."""
    file = ROOT / "docs" / "examples" / "keras2.py"
    ast.parse(file.read_text(encoding="utf-8"), str(file), feature_version=(3, 7))


def test_the_records_are_whole_and_small() -> None:
    """None is interrupted, all were of the same cases, and together they are small."""
    assert versions.RUNS.stat().st_size + versions.SEARCHES.stat().st_size < LARGEST
    read = [one.record for ran in versions.runs().values() for one in ran]
    assert len(read) >= 40
    assert not any(one.interrupted for one in read)
    assert len({one.header.cases for one in read}) == 1
    assert all(line.absent is None and line.failed is None for one in read for line in one.header.backends)


# -- how runs and searches are kept ------------------------------------------------------------------------------------


class Released:
    """A package index that knows two versions of JAX."""

    def releases(self, name: str) -> list[Any]:
        """They were released on the first and the second of January."""
        assert name == "jax"
        days = {"0.9.0": "2026-01-01", "0.10.0": "2026-01-02"}
        return [SimpleNamespace(version=Version(version), day=day) for version, day in days.items()]


def kept(folder: Path, file: Path) -> dict[versions.VersionLine, list[bytes]]:
    """What `versions` would keep of a folder beside what `file` has, written there and read again."""
    before = versions.kept(file) if file.exists() else {}
    versions.write_runs(versions.gathered(before, folder, Released()), file)
    return versions.kept(file)


def test_runs_are_kept_by_version_with_their_bytes(tmp_path: Path) -> None:
    """In the order of versions, not of names; one that is kept again takes the place of the first."""
    folder, file = tmp_path / "made", tmp_path / "kept.jsonl.gz"
    folder.mkdir()
    record.write(run(), folder / "jax-0.10.0.jsonl.gz")
    first = kept(folder, file)
    record.write(run(), folder / "jax-0.9.0.jsonl.gz")
    both = kept(folder, file)
    assert [(one.version, one.released) for one in both] == [("0.9.0", "2026-01-01"), ("0.10.0", "2026-01-02")]
    assert both | first == both
    for one, lines in both.items():
        assert b"".join(lines) == gzip.decompress((folder / f"jax-{one.version}.jsonl.gz").read_bytes())


@pytest.mark.parametrize(
    ("name", "message"),
    [("torch_wheel.jsonl.gz", "must be PACKAGE-VERSION"), ("jax-7.jsonl.gz", "the package index has no jax 7")],
)
def test_a_run_of_no_known_version_is_refused(tmp_path: Path, name: str, message: str) -> None:
    """With its file."""
    record.write(run(), tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: {message}"):
        versions.gathered({}, tmp_path, Released())


def test_an_interrupted_run_is_refused(tmp_path: Path) -> None:
    """The page would count what it has as all that there is."""
    record.write(replace(run(), footer=None), tmp_path / "jax-0.9.0.jsonl.gz")
    with pytest.raises(InputError, match=r"jax-0\.9\.0\.jsonl\.gz: must have reached its end"):
        versions.gathered({}, tmp_path, Released())


@pytest.mark.parametrize("words", [[], ["nowhere"]])
def test_without_runs_and_searches_nothing_is_kept(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and what was expected."""
    assert versions.main(words) == 2
    assert re.search("usage|nowhere: must hold runs", capsys.readouterr().err)


@pytest.mark.parametrize(("line", "message"), [(b"no", "is not a line of a run"), (b'{"type":"check"}', "must say of")])
def test_a_line_of_no_version_is_refused(tmp_path: Path, line: bytes, message: str) -> None:
    """With its number."""
    file = tmp_path / "kept.jsonl"
    file.write_bytes(line + b"\n")
    with pytest.raises(InputError, match=f"kept.jsonl:1: {message}"):
        versions.kept(file)


def test_a_search_takes_the_place_of_the_one_of_its_name(tmp_path: Path) -> None:
    """The others stay, and all are sorted by name."""
    before = versions.searches()
    new = {"package": "a", "first": "2", "last": "1", "outputs": []}
    for name in ("optax-focal-nan", "a-new-one"):
        (tmp_path / f"{name}.json").write_text(json.dumps(new, indent=1))
    file = tmp_path / "kept.jsonl"
    versions.write_searches(before, sorted(tmp_path.glob("*.json")), file)
    assert list(versions.searches(file)) == sorted({*before, "a-new-one"})
    assert versions.searches(file) == before | {"optax-focal-nan": new, "a-new-one": new}


@pytest.mark.parametrize(
    ("text", "message"), [("[]", "is not a search"), ('{"package": "a"}', "must have first, last")]
)
def test_what_is_no_search_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """With its file."""
    file = tmp_path / "one.json"
    file.write_text(text)
    with pytest.raises(InputError, match=f"one.json: .*{message}"):
        versions.write_searches({}, [file], tmp_path / "kept.jsonl")
