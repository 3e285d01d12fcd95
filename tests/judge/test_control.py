"""A right implementation conforms everywhere, a wrong one does not: by the commands, without a framework."""

from __future__ import annotations

import contextlib
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from conformance.cli import main
from conformance.numbers.formats import FORMATS, Tensor, decode
from conformance.record import record
from conformance.record.record import CheckLine, RunRecord

ROOT = Path(__file__).resolve().parents[2]
ADAPTERS = ROOT / "tests" / "data" / "adapters"


def command(*words: str) -> Result:
    """Invoke `bce-conformance` at the root of the repository, in this process."""
    with contextlib.chdir(ROOT):
        return CliRunner().invoke(main, words)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, RunRecord]:
    """One run of the control and of the wrong implementation."""
    output = tmp_path_factory.mktemp("control") / "run.jsonl"
    names = ("correctly_rounded.py", "wrong_log.py")
    adapters = [word for name in names for word in ("--adapter", str(ADAPTERS / name))]
    done = command("run", *adapters, "--backend", "exact", "--backend", "wrong", "--output", str(output))
    return done, record.read(output)


def checks(run: RunRecord, backend: str) -> list[CheckLine]:
    """The checks of one backend."""
    return [line for line in run.checks if line.implementation.startswith(backend + "/")]


def test_a_correctly_rounded_implementation_conforms_on_every_check_that_expects_a_value(
    ran: tuple[Result, RunRecord],
) -> None:
    """Its oracle is Arb and exact fractions, so that this also holds the reference against another derivation."""
    verdicts = [line.verdict for line in checks(ran[1], "exact") if not masked(line)]
    assert len(verdicts) > 1500
    assert set(verdicts) == {"conforms", "recorded", "rejects"}
    rejected = {line.case for line in checks(ran[1], "exact") if line.verdict == "rejects"}
    assert all(case.startswith("shapes/") for case in rejected)  # what does not fit together is no value


def masked(line: CheckLine) -> bool:
    """Whether a check is about a masked mean, which the control divides by all elements, as most frameworks do."""
    return line.case.startswith("reductions/mean-masked")


def test_a_correctly_rounded_implementation_is_never_half_an_ulp_off(
    ran: tuple[Result, RunRecord],
) -> None:
    """Plain errors, not condition-scaled ones: what rounding to nearest leaves is half an ULP."""
    errors = [
        e for line in checks(ran[1], "exact") if not masked(line) for e in line.plain_ulp or line.ulp if e is not None
    ]
    assert max(errors) <= 0.5


def test_log_of_one_minus_p_deviates(ran: tuple[Result, RunRecord]) -> None:
    """The most common way to write the formula loses the loss of small probabilities."""
    found = [line for line in checks(ran[1], "wrong") if line.quantity == "value" and line.verdict == "deviates"]
    assert {line.family for line in found} >= {"hard-labels", "extreme-predictions"}


def test_a_new_deviation_ends_with_exit_code_1(ran: tuple[Result, RunRecord]) -> None:
    """Exit 1 means: not as expected."""
    assert ran[0].exit_code == 1
    assert ran[1].footer is not None
    assert ran[1].footer.exit == 1


def test_the_printed_command_shows_the_finding_again(
    ran: tuple[Result, RunRecord],
) -> None:
    """A reader can paste the line under a finding as it is printed."""
    line = next(text for text in ran[0].stdout.splitlines() if text.strip().startswith("bce-conformance explain"))
    shown = command(*shlex.split(line.split("·")[0])[1:])
    assert shown.exit_code == 0, shown.stderr
    assert "✗ wrong/log_of_one_minus_p" in shown.stdout


def test_the_output_is_at_most_two_screens(ran: tuple[Result, RunRecord]) -> None:
    """Two screens of 50 lines, however many findings there are."""
    assert len(ran[0].stdout.splitlines()) <= 100


def test_two_runs_give_the_same_record_bit_for_bit(ran: tuple[Result, RunRecord], tmp_path: Path) -> None:
    """Times in header and footer aside."""
    again = tmp_path / "again.jsonl"
    words = ["--adapter", str(ADAPTERS / "wrong_log.py"), "--backend", "wrong"]
    command("run", *words, "--output", str(again))
    assert list(record.read(again).checks) == checks(ran[1], "wrong")


def test_assert_close_passes_with_the_reported_tolerances_and_fails_below_them(
    ran: tuple[Result, RunRecord],
) -> None:
    """The smallest rtol with atol=0 and the smallest atol with rtol=0 are just that; 0.9 of them is too little."""
    tried = 0
    for line in ran[1].tolerances:
        got, ideal = finite_points(ran[1], line.implementation, line.dtype, line.family, line.quantity)
        for name, value in (("rtol", line.rtol), ("atol", line.atol)):
            if not value or not len(got):
                continue
            tried += 1
            other = "atol" if name == "rtol" else "rtol"
            np.testing.assert_allclose(got, ideal, **{name: value, other: 0.0})
            with pytest.raises(AssertionError):
                np.testing.assert_allclose(got, ideal, **{name: value * 0.9, other: 0.0})
    assert tried > 50


def finite_points(run: RunRecord, *key: str) -> tuple[np.ndarray, np.ndarray]:
    """Finite results and ideals of an implementation, dtype, family and quantity, from the record alone."""
    inputs = {(line.case, line.dtype): line for line in run.inputs}
    got: list[float] = []
    ideal: list[float] = []
    for line in run.checks:
        if (line.implementation, line.dtype, line.family, line.quantity) != key:
            continue
        if line.quantity not in inputs[line.case, line.dtype].ideal:  # a presentation tells its worst place alone
            continue
        fmt = FORMATS[line.result_dtype]
        patterns = np.array([int(bits, 16) for bits in line.bits], dtype=fmt.storage)
        exact = [float.fromhex(text) for text in inputs[line.case, line.dtype].ideal[line.quantity]]
        for value, wanted in zip(decode(Tensor(fmt.name, patterns)).tolist(), exact, strict=True):
            if np.isfinite(value) and np.isfinite(wanted):
                got.append(value)
                ideal.append(wanted)
    return np.array(got), np.array(ideal)


def test_every_format_says_that_a_run_was_interrupted(ran: tuple[Result, RunRecord], tmp_path: Path) -> None:
    """A record without its footer must not pass for a whole one."""
    part = RunRecord(header=ran[1].header, inputs=ran[1].inputs, checks=ran[1].checks[:20])
    file = tmp_path / "part.jsonl"
    record.write(part, file)
    for form in ("text", "json", "markdown"):
        shown = command("show", str(file), "--format", form)
        assert "interrupted" in shown.stdout.lower(), form


def test_adapters_check_refuses_a_contract_that_is_not_true(tmp_path: Path) -> None:
    """A declared clip that the code does not do is a problem, not a matter of accuracy."""
    file = tmp_path / "liar.py"
    file.write_text(
        (ADAPTERS / "wrong_log.py")
        .read_text()
        .replace(
            "import Adapter, Implementation",
            "import Adapter, Implementation\nfrom conformance.contracts import Clip, Source",
        )
        .replace(", loss)", ', loss, contract=(Clip("1e-7", "0.9999999", Source("q", "https://example.org")),))')
    )
    done = command("adapters", "check", str(file))
    assert done.exit_code == 1
    assert "contract field clip" in done.stdout


def test_try_saves_a_case_that_lints(tmp_path: Path) -> None:
    """The reader's own numbers become a case file of the suite."""
    shutil.copy(ROOT / "cases" / "flags.yaml", tmp_path / "flags.yaml")
    file = tmp_path / "mine.yaml"
    words = ["try", "--form", "logits", "--dtype", "float16", "--prediction=-inf", "--label", "0"]
    done = command(*words, "--backend", "numpy", "--save", str(file))
    assert done.exit_code == 1, "NaN at an infinite logit deviates"
    listed = command("list", "cases", "--cases", str(tmp_path))
    assert "tried/mine" in listed.stdout, listed.stderr


def test_try_names_the_first_non_finite_and_the_worst_element_of_a_file(tmp_path: Path) -> None:
    """A reader with a batch wants to know where to look."""
    file = tmp_path / "batch.npz"
    prediction = np.linspace(0.1, 0.9, 40)
    prediction[17] = 0.0
    prediction[30] = 1e-9
    np.savez(file, prediction=prediction, label=np.zeros(40))
    done = command("try", "--form", "probabilities", "--input", str(file), "--backend", "numpy", "--quantity", "value")
    assert "first non-finite nan at e17" in done.stdout, done.stdout + done.stderr
    assert "at e30" in done.stdout


def test_try_prints_the_floor_of_a_soft_label() -> None:
    """The loss of a soft label is not 0 because the entropy of the label is its floor."""
    words = ["try", "--form", "probabilities", "--prediction", "0.3", "--label", "0.3", "--backend", "numpy"]
    assert "floor H(y) = 0.610864312, excess KL(y||p) = 0" in command(*words).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--backend", "nonesuch"], "no backend matches 'nonesuch'"),
        (["run", "--case", "nonesuch"], "--case 'nonesuch' matches nothing"),
        (["run", "--python", "torch"], "--python must be BACKEND=INTERPRETER"),
        (["run", "--adapter", "nonesuch.py"], "--adapter must be a Python file"),
        (["run", "--timeout", "0"], "--timeout must lie between"),
        (["explain", "question/har"], "did you mean question/hard"),
        (["try", "--form", "logits", "--prediction", "abc", "--label", "0"], "a number must be a decimal"),
        (["try", "--form", "logits", "--prediction", "1"], "as many --label as --prediction"),
        (["show", "nonesuch.jsonl"], "cannot be read"),
        (["lint", "--cases", "docs"], "must hold flags.yaml"),
        (["lits"], "did you mean list"),
    ],
)
def test_bad_input_ends_with_exit_code_2_and_a_next_step(words: list[str], said: str) -> None:
    """The message names what was required; nothing was run."""
    done = command(*words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


ADAPTER = """
import numpy as np
from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime, {function} as call
{body}
adapters = [Adapter("mine", [{implementation}], backend={backend})]
"""


def adapter(
    file: Path, body: str, implementation: str, backend: str = "'numpy'", function: str = "log_textbook"
) -> Path:
    """An adapter file made of a few lines."""
    file.write_text(ADAPTER.format(function=function, body=body, implementation=implementation, backend=backend))
    return file


def test_a_gradient_of_another_dtype_and_a_gradient_that_changes_its_input_deviate(tmp_path: Path) -> None:
    """How a derivative comes back is judged like how the value does."""
    body = """
def gradient(prediction, label):
    result = ((prediction - label) / (prediction * (1 - prediction))).astype(np.float16)
    label[:] = 0
    return result
"""
    file = adapter(
        tmp_path / "mine.py",
        body,
        'Implementation("loss", "probabilities", call, dtypes=("float32",), '
        'derivatives={"gradient-prediction": gradient})',
    )
    output = tmp_path / "run.jsonl"
    words = [
        "--adapter",
        str(file),
        "--backend",
        "mine",
        "--case",
        "hard-labels/probabilities",
        "--output",
        str(output),
    ]
    command("run", *words)
    found = {line.quantity: line.findings[0].what for line in record.read(output).checks if line.findings}
    assert found["result-dtype"] == "result-dtype"
    assert found["inputs-unchanged"] == "changed"


def test_a_backend_that_cannot_be_opened_is_a_failure_of_the_harness(tmp_path: Path) -> None:
    """A crash or a bug on import must not pass for a framework that is not installed."""
    body = """
class Broken(NumPyRuntime):
    def open(self):
        raise RuntimeError("bug in the adapter")
"""
    file = adapter(tmp_path / "mine.py", body, 'Implementation("loss", "probabilities", call)', backend="Broken()")
    done = command("run", "--adapter", str(file), "--backend", "min*", "--case", "hard-labels/*")
    assert done.exit_code == 3, done.stdout
    assert "failed mine: RuntimeError: bug in the adapter" in done.stdout
    assert "NOT as expected" not in done.stdout


@pytest.mark.parametrize(
    ("lost", "wanted", "logits"), [("0.0", "zero", ["14.5"]), ("-5e-8", "sign", ["14.5", "17.4", "20"])]
)
def test_a_printed_formula_does_not_excuse_a_lost_tail_or_a_wrong_sign(
    tmp_path: Path, lost: str, wanted: str, logits: list[str]
) -> None:
    """For a hard label log(1 + exp(-|z|)) keeps the tail until 1 + exp(-|z|) rounds to 1, and is never negative."""
    body = f"""
from conformance.contracts import Formula, Source
def loss(prediction, label):
    result = call(prediction, label)
    return np.where(result < 1e-6, np.float32({lost}), result).astype(prediction.dtype)
contract = (Formula("tf-sigmoid-cross-entropy", Source("q", "https://example.org")),)
"""
    implementation = 'Implementation("loss", "logits", loss, dtypes=("float32",), contract=contract)'
    file = adapter(tmp_path / "mine.py", body, implementation, function="stable_textbook")
    output = tmp_path / "run.jsonl"
    words = ["--case", "extreme-predictions/logits-tail", "--quantity", "value", "--output", str(output)]
    command("run", "--adapter", str(file), "--backend", "mine", *words)
    (line,) = record.read(output).checks
    elements = {name for z in logits for name in (f"z{z}-y1", f"m{z}-y0")}
    assert {one.element: one.what for one in line.findings} == dict.fromkeys(elements, wanted)
