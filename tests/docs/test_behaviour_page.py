"""docs/behaviour-by-version.md is what its records say, and says what it has to say."""

from __future__ import annotations

import ast
import json
import math
import re
from pathlib import Path

import pytest

from conformance.plan import cases
from conformance.record import record
from tools.renew import behaviour

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "docs" / "data" / "behaviour"
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


@pytest.mark.parametrize("name", [name for name in behaviour.PACKAGES if name != "torch"])
def test_each_package_was_run_in_at_least_four_versions_of_different_years(name: str) -> None:
    """Of PyTorch one version alone has a small build for CPUs."""
    rows = table(f"### {behaviour.PACKAGES[name]}")
    assert len(rows) >= 4
    assert len({row["released"][:4] for row in rows}) >= 3


def test_the_release_that_fixed_the_focal_loss_is_named() -> None:
    """Optax 0.2.6, with NaN before and 0 after, at the logit 1000 with exponent 0 of the example."""
    found = json.loads((DATA / "bisect-optax-focal-nan.json").read_text())
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
    files = list(DATA.iterdir())
    assert sum(file.stat().st_size for file in files) < LARGEST
    read = [record.read(file) for file in files if file.name.endswith(".jsonl.gz")]
    assert not any(one.interrupted for one in read)
    assert len({one.header.cases for one in read}) == 1
    assert all(line.absent is None and line.failed is None for one in read for line in one.header.backends)
