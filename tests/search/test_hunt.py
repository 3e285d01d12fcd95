"""The search for the worst input: it climbs, it is the same for the same seed, and what it finds is made short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from conformance.adapters import ALL_DTYPES
from conformance.cli import main
from conformance.commands import hunt as hunt_command
from conformance.errors import InputError
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import bits_of
from conformance.plan.cases import load_suite
from conformance.search import hunt, target
from conformance.search import options as hunt_options
from conformance.search.options import Call, hunt_calls
from conformance.sweep import named
from tests.builders import implementation

ROOT = Path(__file__).parents[2]
CERTIFICATES = ROOT / "results" / "certificates" / "torch.jsonl"

LOGITS = "torch/nn.functional.binary_cross_entropy_with_logits"


def hill(where: hunt.Space, peak: int, width: float) -> hunt.Judge:
    """An error of 100 ULP at one ordinal of the prediction, which halves at every `width` patterns from there."""

    def judge(predictions: Any, labels: Any) -> hunt.Score:
        fmt = where.format
        places = [hunt.ordinal(bits_of(float(one).hex(), fmt), fmt) for one in predictions]
        errors = np.array([100.0 * 2.0 ** (-abs(place - peak) / width) for place in places])
        return hunt.Score(errors, ("",) * len(places))

    return judge


def test_it_climbs_a_hill_that_chance_does_not_meet() -> None:
    """A peak of a millionth of the domain is reached to a hundredth; of as many random inputs none comes near."""
    where = hunt.space("logits", "float32", ("0", "0"))
    peak, width = 1_234_567_891, 1e8
    judge = hill(where, peak, width)
    found = hunt.hunt(judge, where, 1, 20_000, 600).worst
    assert found is not None
    assert found.ulp > 99.99
    random = np.random.default_rng(1).integers(*where.prediction, size=20_000)
    assert judge(hunt.values(random.tolist(), where.format), np.zeros(20_000)).ulp.max() < 99.99


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_the_same_seed_gives_the_same_answer(dtype: str) -> None:
    """In every dtype, and another seed tries other inputs."""
    where = hunt.space("logits", dtype, ("0", "1"))
    tried: list[Any] = []

    def judge(predictions: Any, labels: Any) -> hunt.Score:
        tried.append((predictions, labels))
        return hunt.Score(np.abs(predictions % 7), ("",) * len(predictions))

    first = hunt.hunt(judge, where, 5, 5_000, 600)
    again = hunt.hunt(judge, where, 5, 5_000, 600)
    half = len(tried) // 2
    assert first == again
    assert all(np.array_equal(one, other) for one, other in zip(tried[:half], tried[half:], strict=True))
    assert not np.array_equal(tried[0][0], _first(dtype, 6))


def _first(dtype: str, seed: int) -> Any:
    seen: list[Any] = []

    def judge(predictions: Any, labels: Any) -> hunt.Score:
        seen.append(predictions)
        return hunt.Score(np.zeros(len(predictions)), ("",) * len(predictions))

    hunt.hunt(judge, hunt.space("logits", dtype, ("0", "1")), seed, 100, 600)
    return seen[0]


@pytest.mark.parametrize("form", ["logits", "probabilities"])
@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_inputs_lie_in_the_domain_and_all_their_bits_are_random(form: str, dtype: str) -> None:
    """Predictions are finite or in [0, 1], labels between the ends, and odd patterns are as frequent as even ones."""
    fmt = FORMATS[dtype]
    seen: list[Any] = []

    def judge(predictions: Any, labels: Any) -> hunt.Score:
        seen.append((predictions, labels))
        return hunt.Score(np.abs(predictions), ("",) * len(predictions))

    hunt.hunt(judge, hunt.space(form, dtype, ("0", "1")), 3, 10_000, 600)
    predictions, labels = (np.concatenate(column) for column in zip(*seen, strict=True))
    assert np.isfinite(predictions).all()
    assert form == "logits" or ((predictions >= 0) & (predictions <= 1)).all()
    assert ((labels >= 0) & (labels <= 1)).all()
    odd = np.mean([bits_of(float(one).hex(), fmt) & 1 for one in seen[0][0]])
    assert 0.4 < odd < 0.6


def test_it_ends_when_its_time_is_over() -> None:
    """Whatever number of inputs was asked for."""
    where = hunt.space("logits", "float16", ("0", "0"))
    found = hunt.hunt(hill(where, 5, 10.0), where, 0, 10**9, 0.1)
    assert found.out_of_time
    assert found.tried < 10**9


def test_a_class_that_is_no_number_has_an_example() -> None:
    """NaN is not taken for the largest error, and not lost."""
    where = hunt.space("logits", "float16", ("0", "0"))

    def judge(predictions: Any, labels: Any) -> hunt.Score:
        odd = predictions > 100
        return hunt.Score(np.where(odd, np.nan, 1.0), tuple("nan" if one else "" for one in odd.tolist()))

    found = hunt.hunt(judge, where, 0, 2_000, 600)
    assert found.worst is not None
    assert found.worst.ulp == 1.0
    assert [one.what for one in found.classes] == ["nan"]
    small = hunt.shrink(judge, where, found.classes[0])
    assert small.prediction > 100
    assert len(f"{small.prediction:g}") <= 5


def test_what_was_found_is_made_short() -> None:
    """The shortest decimal that still shows half of the error takes the place of a long one."""
    where = hunt.space("logits", "float32", ("0", "0"))

    def judge(predictions: Any, labels: Any) -> hunt.Score:
        return hunt.Score(np.where(np.abs(predictions + 20) < 4, 1000.0, 0.0), ("",) * len(predictions))

    found = hunt.Found(-19.876543045043945, 0.0, 1000.0, "", 0)
    assert hunt.shrink(judge, where, found).prediction == -20.0
    kept = hunt.shrink(hill(where, hunt.ordinal(bits_of("-19.876543", where.format), where.format), 1.0), where, found)
    assert kept.ulp >= 0.5 * found.ulp or kept == found


# -- as a command ------------------------------------------------------------------------------------------------------


def invoke(*words: str) -> Any:
    """The command line with some words."""
    return CliRunner().invoke(main, ["hunt", *words])


def proved(name: str) -> float:
    """The largest error of the first result of a certificate, which is a proof."""
    kept = {one.name: one.certificate for one in named.read(CERTIFICATES)}
    one = kept[f"torch-nn.functional.binary_cross_entropy_with_logits-eager-value-{name}"]
    assert one.kind == "proof"
    assert one.results[0].label_value in (0.0, None)
    return one.results[0].worst["ideal"].ulp


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("name", "labels"), [("float32", "0"), ("float16-pairs", "0,1")])
def test_half_of_a_proved_maximum_is_found(seed: int, name: str, labels: str) -> None:
    """Of PyTorch's logit form with label 0, and of all pairs of float16; whatever the seed, by 12,000 inputs."""
    words = ("--dtype", name.partition("-")[0], "--label", labels, "--seed", str(seed), "--inputs", "12000")
    done = invoke(LOGITS, *words)
    assert done.exit_code == 0, done.output
    assert "12000 inputs" in done.output
    error = float(next(line for line in done.output.splitlines() if " ULP" in line).rsplit(", ", 1)[1].split()[0])
    assert proved(name) / 2 <= error <= proved(name) * (1 + 2**-14)


def test_the_search_knows_nothing_of_sweeps() -> None:
    """Neither what reads certificates nor what reads the corpus is imported, nor are their folders named."""
    code = "import sys; from conformance.commands import hunt; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [name for name in done.stdout.split() if name.startswith("conformance.sweep")] == []
    for module in (hunt, hunt_command, hunt_options, target):
        text = Path(str(module.__file__)).read_text()
        assert not [word for word in ("certificates", "worst/", "glob(") if word in text]


def test_two_implementations_are_told_apart(tmp_path: Path) -> None:
    """Both results, their distance, and a case file that loads."""
    file = tmp_path / "found.yaml"
    words = ("--label", "0", "--inputs", "4000", "--save", str(file))
    done = invoke(LOGITS, "torch/nn.functional.soft_margin_loss", "--quantity", "gradient-prediction", *words)
    assert done.exit_code == 0, done.output
    assert "apart by" in done.output
    assert done.output.count("got ") >= 2
    (tmp_path / "flags.yaml").write_text("flags: {}\n")
    assert [one.case.form for one in load_suite(tmp_path).cases] == ["logits"]


def of_options(call: Call) -> float:
    """An error that only a focal call with a weight on a transposed tensor has, and that grows with the weight."""
    wanted = call.presentation.endswith("transposed") + ("weight" in call.options) + ("gamma" in call.parameters)
    return float(wanted) + (max(one[2] for one in call.elements) if wanted == 3 else 0.0)


def test_options_shapes_and_parameters_are_searched_together() -> None:
    """What takes three of them at once is found, the same with the same seed."""
    one = implementation(parameters=("gamma", "alpha"), layouts=("contiguous", "transposed"))
    found = hunt_calls(of_options, one, "float32", 3, 400)
    assert found is not None
    assert found.budgets > 3
    assert found == hunt_calls(of_options, one, "float32", 3, 400)


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_only_calls_that_an_implementation_has_are_tried(dtype: str) -> None:
    """Its options, parameters, layouts and reductions, numbers of its dtype, and no alpha without gamma."""
    one = implementation(options=("weight",), parameters=("alpha",), reductions=("none", "sum"))
    seen: list[Call] = []

    def judge(call: Call) -> float:
        seen.append(call)
        return float("nan")

    assert hunt_calls(judge, one, dtype, 0, 100) is None
    assert {call.reduction for call in seen} == {"none", "sum"}
    assert {call.options for call in seen} <= {(), ("weight",)}
    assert all(not call.parameters and len(call.presentation.split()) < 2 for call in seen)
    fmt = FORMATS[dtype]
    for value in {number for call in seen for element in call.elements for number in element}:
        assert float(hunt.values([hunt.ordinal(bits_of(value.hex(), fmt), fmt)], fmt)[0]) == value


def test_a_search_over_options_is_told_with_its_call(tmp_path: Path) -> None:
    """Settings, inputs and errors are printed, and the call is saved as a case that loads."""
    file = tmp_path / "found.yaml"
    done = invoke(LOGITS, "--options", "--calls", "30", "--save", str(file))
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"worst: float32 value of {LOGITS}/eager/cpu, ")
    assert " times the budget; seed 0, 30 calls." in done.output
    (tmp_path / "flags.yaml").write_text("flags: {}\n")
    assert load_suite(tmp_path).cases


def test_without_hypothesis_options_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the extra."""
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(InputError, match="needs Hypothesis"):
        hunt_calls(of_options, implementation(), "float32", 0, 10)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("torch/nothing",), "no implementation is called 'torch/nothing'"),
        ((LOGITS, "torch/nn.functional.binary_cross_entropy"), "one form of prediction only"),
        ((LOGITS, "--label", "0,1,2"), "--label must be one literal, or two"),
        ((LOGITS, "--label", "x"), "--label: a number must be"),
        ((LOGITS, "--label", "inf"), "--label must be finite"),
        (("numpy/log_textbook", "--quantity", "second-derivative"), "offers no unreduced second-derivative"),
    ],
)
def test_bad_input_is_told_and_exits_2(words: tuple[str, ...], message: str) -> None:
    """With what was asked for and what is there."""
    done = invoke(*words)
    assert done.exit_code == 2
    assert message in done.output
