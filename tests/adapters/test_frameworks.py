"""What the pinned frameworks do, seen without being told: the question's experiments and the best-known findings."""

from __future__ import annotations

import math
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import reference
from conformance.numbers.documented import clip_bounds
from conformance.numbers.formats import FORMATS, Tensor, decode
from conformance.plan import cases
from conformance.plan.inputs import Inputs
from conformance.record import record
from conformance.record.record import CheckLine, RunRecord
from conformance.record.summary import causes, scoreboard

ROOT = Path(__file__).resolve().parents[2]

#: The cases that these tests are about, where no whole run is at hand.
NEEDED = ("question/*", "out-of-range-labels", "extreme-predictions/*", "contracts/clip")

KERAS = "losses.binary_crossentropy/eager/cpu"


@pytest.fixture(scope="session")
def run(whole_run: RunRecord | None, tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """This session's whole run, or a run of the cases that are needed here."""
    if whole_run is not None:
        return whole_run
    output = tmp_path_factory.mktemp("frameworks") / "run.jsonl"
    words = [word for case in NEEDED for word in ("--case", case)]
    command = [sys.executable, "-m", "conformance", "run", *words, "--output", str(output)]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=900, check=False)
    found = record.read(output)
    absent = [line.name for line in found.header.backends if line.absent is not None]
    if absent:
        pytest.skip(f"absent: {', '.join(absent)}")
    return found


def find(run: RunRecord, case: str, implementation: str, dtype: str, quantity: str = "value") -> CheckLine:
    """One check."""
    wanted = f"{case}::{implementation}::{dtype}::{quantity}"
    return next(line for line in run.checks if line.id == wanted)


def values(line: CheckLine) -> list[float]:
    """The results of a check."""
    fmt = FORMATS[line.result_dtype]
    return decode(Tensor(fmt.name, np.array([int(bits, 16) for bits in line.bits], dtype=fmt.storage))).tolist()


def historical() -> list[cases.Case]:
    """The cases that pin a printed number."""
    return [one.case for one in cases.load_suite(ROOT / "cases").cases if one.case.historical]


def test_the_five_experiments_of_the_question_are_pinned() -> None:
    """hard, soft-extreme, out-of-range, and 0.3 with the labels 2 and -2."""
    assert [case.historical.value for case in historical() if case.historical] == [
        "8.01512",
        "0.6931472",
        "0.6931472",
        "2.0512707",
        "-1.3379208",
    ]


@pytest.mark.parametrize("case", historical(), ids=lambda case: case.id)
def test_the_reference_rounds_to_what_was_printed(case: cases.Case) -> None:
    """At the decimal inputs, with Keras' clip bounds rounded to float32 as they were then."""
    assert case.historical is not None
    low, high = (np.float64(np.float32(bound)) for bound in (1e-7, 1 - 1e-7))
    prediction = np.clip([float(one.prediction) for one in case.elements], low, high)
    label = np.array([float(one.label) for one in case.elements])
    exact = float(reference.exact_mean(reference.loss("probabilities", prediction, label)).hi)
    printed = Decimal(case.historical.value)
    digits = -int(printed.as_tuple().exponent)
    assert round(exact, digits) == float(printed)


@pytest.mark.parametrize("backend", ["keras-tensorflow", "keras-jax"])
@pytest.mark.parametrize("case", historical(), ids=lambda case: case.id)
def test_keras_prints_the_same_today(run: RunRecord, case: cases.Case, backend: str) -> None:
    """Within half of the last printed digit or two float32 spacings, whichever is more."""
    assert case.historical is not None
    printed = Decimal(case.historical.value)
    half_digit = 0.5 * 10.0 ** int(printed.as_tuple().exponent)
    spacing = float(np.spacing(np.float32(abs(printed))))
    (got,) = values(find(run, case.id, f"{backend}/{KERAS}", "float32"))
    assert abs(got - float(printed)) <= max(half_digit, 2 * spacing)


@pytest.mark.parametrize("case", [one for one in historical() if "out-of-range" in one.id], ids=lambda case: case.id)
def test_keras_on_torch_rejects_the_out_of_range_labels(run: RunRecord, case: cases.Case) -> None:
    """It hands them to torch, which checks."""
    line = find(run, case.id, f"keras-torch/{KERAS}", "float32")
    assert line.verdict == "rejects"
    assert "all elements of target should be between 0 and 1" in line.details[0]


def test_torch_rejects_labels_outside_the_domain_in_one_form_and_accepts_them_in_the_other(run: RunRecord) -> None:
    """The scoreboard says so in its last column."""
    rows = {row.implementation: row.out_of_range for row in scoreboard(run)}
    assert rows["torch/nn.functional.binary_cross_entropy/eager/cpu"] == "rejects"
    assert rows["torch/nn.functional.binary_cross_entropy_with_logits/eager/cpu"] == "accepts"


def test_torch_loses_the_tail_of_its_logit_form(run: RunRecord) -> None:
    """At label 0 and a confident right logit the printed example of the finding says that the loss came back as 0."""
    cause = "torch/nn.functional.binary_cross_entropy_with_logits/value/ordinary/inaccurate"
    found = next(one for one in causes(run) if one.cause == cause)
    assert found.example is not None
    inputs = {name: float(decimal) for name, (decimal, _) in found.example.inputs.items()}
    assert inputs["prediction"] <= -8
    assert inputs["label"] == 0
    assert found.example.got[0] == "0"
    right = inputs.get("weight", 1.0) * math.log1p(math.exp(inputs["prediction"]))
    assert math.isclose(float(found.example.ideal), right, rel_tol=1e-7)


@pytest.mark.parametrize("backend", ["keras-tensorflow", "keras-jax"])
@pytest.mark.parametrize(
    ("dtype", "verdicts"),
    [
        ("float32", ("by-contract", "by-contract")),
        ("float16", ("by-contract", "deviates")),
        ("bfloat16", ("by-contract", "deviates")),
    ],
)
def test_the_clip_of_keras_works_in_float32_and_not_in_16_bits(
    run: RunRecord, backend: str, dtype: str, verdicts: tuple[str, ...]
) -> None:
    """1 - 1e-7 rounds to 1 in both 16-bit formats, so that the upper end of the clip does nothing."""
    line = find(run, "contracts/clip", f"{backend}/ops.binary_crossentropy/eager/cpu", dtype, "contract")
    assert (line.verdicts or (line.verdict,) * 2) == verdicts


def test_keras_computes_half_precision_losses_in_float32_by_contract(run: RunRecord) -> None:
    """The loss object casts to floatx, documents it, and so its clip works for float16 inputs too."""
    name = "keras-jax/losses.BinaryCrossentropy/eager/cpu"
    line = find(run, "contracts/clip", name, "float16", "contract")
    assert line.verdict == "by-contract"
    assert line.result_dtype == "float32"


def test_the_clip_bounds_are_those_of_the_question() -> None:
    """In float32 both neighbours of 1e-7 count, and below 1 the two neighbours of 1 - 1e-7."""
    assert clip_bounds("0.9999999", FORMATS["float32"]) == (1 - 2**-23, 1 - 2**-24)
    assert float(np.float32(1e-7)) in clip_bounds("1e-7", FORMATS["float32"])


def test_cases_hold_no_expected_numbers() -> None:
    """Only `historical` pins a printed one; the reference computes the others."""
    case = historical()[0]
    assert Inputs(case, "float32").values.keys() == {"prediction", "label", "weight", "pos_weight"}
