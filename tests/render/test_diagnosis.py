"""The page of a diagnosis, read back: formula, steps, windows, and text at several widths."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import cache

import pytest

from conformance.diagnosis.diagnosis import Only, diagnose
from conformance.diagnosis.vocabulary import Mechanism
from conformance.render import diagnosis as render
from tools.renew import kept_run, vocabulary
from tools.renew.diagnoses import suite

LOGITS = "torch/nn.functional.binary_cross_entropy_with_logits/eager/cpu"
TENSORFLOW = "tensorflow/nn.sigmoid_cross_entropy_with_logits/eager/cpu"


@cache
def pages(implementation: str, quantity: str) -> tuple[render.Page, ...]:
    """The pages of an implementation in the run that ships."""
    record = kept_run("pinned")
    return tuple(render.pages(diagnose(record, suite(), implementation, (quantity,)), record, suite()))


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_line_is_wider_than_the_page(width: int) -> None:
    """Links and long formulas are folded."""
    text = render.document(pages(LOGITS, "value"), width)
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.slow
def test_the_steps_that_are_told_end_with_the_result_and_one_is_to_blame() -> None:
    """Step, exact, rounded, error, in columns that are read back."""
    text = render.document(pages(LOGITS, "value"), 120)
    steps = [
        re.split(r"\s{2,}", line.strip())
        for line in text[text.index("step  ") :].split("\n\n")[0].splitlines()[1:]
        if line.strip()
    ]
    assert [step[0] for step in steps if step[0].startswith("→ ")] == ["→ min(z, 0) - log1p(exp(-|z|))"]
    name, exact, rounded, error = steps[-1]
    assert name == "(1 - y)*z - log_sigmoid(z)"
    assert float(exact) == pytest.approx(2.06115362e-9)
    assert float(rounded) == 0
    assert float(error) > 1e6


@pytest.mark.slow
def test_what_an_arrow_means_is_said_once_and_counts_the_steps() -> None:
    """The step may have a small error of its own."""
    text = " ".join(render.document(pages(LOGITS, "gradient-prediction")[:1], 120).split())
    assert text.count("→") == 1 + text.count("→ 1 + exp(-z)") + text.count("→ 1/(1 + exp(-z))") == 3
    assert "→ these 2 steps exact and all others rounded, the result is right" in text


@pytest.mark.slow
def test_a_step_that_is_flushed_is_shown_with_its_true_number() -> None:
    """0 for a number that the format has."""
    tail = Only("extreme-predictions/logits-tail-wide", "m89-y0")
    record = kept_run("pinned")
    found = diagnose(record, suite(), TENSORFLOW, ("value",), ("float32",), tail)
    lines = render.document(list(render.pages(found, record, suite(), tail)), 120).splitlines()
    (step,) = (line for line in lines if line.startswith("  → exp("))
    assert re.split(r"\s{2,}", step.strip())[2] == "0 (flushed)"
    assert float(re.split(r"\s{2,}", step.strip())[1]) == pytest.approx(math.exp(-89), rel=1e-8)


@pytest.mark.slow
def test_the_window_of_a_flushed_tail_has_the_ends_of_float32() -> None:
    """e^-87.3365 is 2^-126; what a person reads is the number of float32 itself."""
    text = " ".join(render.document(pages(TENSORFLOW, "value"), 120).split())
    assert "float32, label 0: from -101.892632 to -87.3365479, at worst 8.39e+06 ULP at -87.34" in text


@pytest.mark.slow
def test_where_a_contract_excuses_results_only_those_of_the_run_are_told() -> None:
    """Keras documents its clip: an end by emulation alone would call results wrong that are as documented."""
    text = " ".join(render.document(pages("keras-tensorflow/ops.binary_crossentropy/eager/cpu", "value"), 120).split())
    assert re.search(r"float32, label 1: 0 of the \d+ predictions of the run", text)


@pytest.mark.slow
def test_a_page_says_how_large_the_loss_is_that_comes_out_as_0() -> None:
    """bfloat16 has 8 bits: a loss of 0.0155 is 0."""
    text = " ".join(render.document(pages(LOGITS, "value"), 120).split())
    (said,) = re.findall(
        r"bfloat16: the result is 0 where the loss is up to (\S+) \(z = (\S+), y = 0: the model says", text
    )
    assert float(said[0]) == pytest.approx(math.log1p(math.exp(float(said[1]))), rel=1e-2)


@pytest.mark.slow
def test_a_remedy_says_for_which_labels_and_options_it_is_the_same() -> None:
    """And the formula with pos_weight, where today's has one."""
    text = " ".join(render.document(pages(LOGITS, "value"), 120).split())
    assert "the same function for every label, with weight and pos_weight" in text
    assert "with pos_weight c: where(z >= 0," in text


@pytest.mark.slow
def test_two_models_are_named_that_are_not_told_apart_and_all_where_that_is_asked() -> None:
    """The rest is counted."""
    (page,) = pages(LOGITS, "value")
    one = page.first
    assert one.model is not None
    also = [replace(one.model, names=(f"formula {number}",)) for number in range(5)]
    several = replace(one, identified=replace(one.identified, survivors=(one.model, *also)))
    page = replace(page, told=(page.told[0]._replace(diagnosis=several), *page.told[1:]))
    short, long = (" ".join(render.document([page], 120, every=every).split()) for every in (False, True))
    assert "or formula 0, each step; formula 1, each step; and 3 more: these inputs do not tell them apart" in short
    assert all(f"formula {number}, each step" in long for number in range(5))


@pytest.mark.slow
def test_brackets_of_a_formula_are_no_markup() -> None:
    """A guilty step of the formula itself stands in double brackets."""
    text = render.document(pages("torch/nn.BCELoss/eager/cpu", "second-derivative"), 120)
    assert "[]" not in text


def test_the_vocabulary_names_every_mechanism() -> None:
    """One row each, with a meaning and a condition."""
    rows = [line.split(" | ") for line in vocabulary.table().splitlines()[2:]]
    assert [row[0].removeprefix("| ") for row in rows] == [one.value for one in Mechanism]
    assert all(len(row) == 4 for row in rows)
