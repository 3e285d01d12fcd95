"""From a finding to a script: what it holds, that it shows the mismatch, and that nothing untrusted gets through."""

from __future__ import annotations

import ast
import contextlib
import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conformance import adapters
from conformance.cli import main
from conformance.errors import Exit, InputError
from conformance.judge.harm import Harm
from conformance.known.problem import Explains, Problem, Upstream
from conformance.known.record import Record
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import bits_of
from conformance.plan.cases import Element
from conformance.record import record as records
from conformance.record.record import RunRecord
from conformance.repro import derivation, finding, groups, issue, job, projects, shrink, tensors
from conformance.repro.clean import CANNOT_TELL, MATCH, MISMATCH
from conformance.repro.groups import Group
from conformance.repro.representative import ranked, representatives
from tests.builders import case, deterministic, implementation
from tests.records import HOSTILE, check, run
from tests.records import finding as finding_line
from tests.reference import oracle

ROOT = Path(__file__).resolve().parents[2]
FAULTY = ROOT / "tests" / "data" / "adapters" / "faulty.py"

FLAGS = "flags:\n  plain:\n    meaning: nothing special about it\n"

CASES = """\
family: small
title: a family for tests
cases:
  - id: small/values
    why: a tiny probability, where 1 - p is rounded
    form: probabilities
    flags: [plain]
    dtypes: [float32]
    quantities: [value]
    elements:
      - {id: a, prediction: 0.5, label: 1}
      - {id: b, prediction: 1.2345678e-9, label: 1e-12}
      - {id: c, prediction: 0.25, label: 0}
  - id: small/outside
    why: a label that is documented to be rejected
    form: probabilities
    flags: [plain]
    dtypes: [float32]
    quantities: [value]
    elements:
      - {id: above, prediction: 0.5, label: 1.5}
  - id: small/mean
    why: a mean of three
    form: probabilities
    flags: [plain]
    dtypes: [float32]
    quantities: [value]
    reduction: mean
    elements:
      - {id: a, prediction: 0.5, label: 1}
      - {id: b, prediction: 0.25, label: 0}
      - {id: c, prediction: 0.125, label: 1}
"""

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small suite."""
    made = tmp_path_factory.mktemp("home")
    (made / "suite").mkdir()
    (made / "suite" / "flags.yaml").write_text(FLAGS)
    (made / "suite" / "small.yaml").write_text(CASES)
    return made


@pytest.fixture(scope="module")
def command(home: Path) -> Command:
    """Invokes a command of the suite on the faulty adapter in that folder."""
    return lambda *words: invoked(home, *words, "--cases", "suite", "--adapter", str(FAULTY))


def invoked(folder: Path, *words: str) -> Result:
    """A command of the suite in a folder, in this process: to start one takes longer than most commands."""
    with contextlib.chdir(folder):
        return CliRunner().invoke(main, words)


@pytest.fixture(scope="module")
def judged(home: Path, command: Command) -> RunRecord:
    """A run of the faulty adapter, kept as run.jsonl."""
    done = command("run", "--implementation", "faulty/*", "--output", "run.jsonl", "--no-sample")
    assert done.exit_code == Exit.NOT_AS_EXPECTED, done.stderr
    return records.read(home / "run.jsonl")


#: A value that is wrong.
ROUNDED = "faulty/rounded/value/ordinary/inaccurate"

#: A finding of each kind, and what the script must be about.
KINDS = {
    ROUNDED: "the loss in float32 is",
    "faulty/wide/result-dtype/any/result-dtype": "returned float64 for float32",
    "faulty/flat/result-shape/any/result-shape": "returned shape",
    "faulty/singular/acceptance/ordinary/raises": "valid inputs are rejected",
    "faulty/lenient/acceptance/outside/accepts": "inputs are accepted that must be rejected",
    "faulty/summed/reduction/ordinary/inaccurate": "the mean is not that of the unreduced losses",
}


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, home: Path, command: Command, judged: RunRecord) -> tuple[str, Path, str]:
    """A cause, the folder that holds its report, and what the command printed."""
    cause: str = request.param
    into = re.sub(r"\W", "-", cause)
    done = command("repro", "run.jsonl", cause, "--output", into)
    assert done.exit_code == 0, done.stdout + done.stderr
    return cause, home / into, done.stdout


def alone(text: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """A script as a stranger runs it."""
    file = tmp_path / "script.py"
    file.write_text(text)
    return subprocess.run([sys.executable, "-I", str(file)], capture_output=True, text=True, check=False, cwd=tmp_path)


# -- the script ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_script_of_every_kind_shows_its_mismatch_alone(made: tuple[str, Path, str], tmp_path: Path) -> None:
    """It exits with 1, its last line says MISMATCH and what is wrong, and the lines before versions and what it got."""
    cause, into, _ = made
    done = alone((into / "repro.py").read_text(), tmp_path)
    lines = done.stdout.splitlines()
    assert done.returncode == MISMATCH, done.stderr
    assert lines[-1].startswith("MISMATCH: ")
    assert KINDS[cause] in lines[-1]
    assert "numpy " in done.stdout
    assert "got " in done.stdout


@pytest.mark.slow
def test_a_script_imports_the_framework_alone_and_is_short(made: tuple[str, Path, str]) -> None:
    """NumPy is the framework here; beside it there is only the standard library's sys and math."""
    text = (made[1] / "repro.py").read_text()
    assert imported(text) <= {"numpy", "sys", "math"}
    assert len(text.splitlines()) <= 40
    assert text.isascii()


def imported(text: str) -> set[str]:
    """The top modules that a script imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.slow
def test_the_output_in_the_report_is_what_the_script_prints(made: tuple[str, Path, str], tmp_path: Path) -> None:
    """The report holds the script as it is, and its real output, each as a block of code."""
    _, into, printed = made
    script = (into / "repro.py").read_text()
    blocks = [token.content for token in MarkdownIt().parse((into / "issue.md").read_text()) if token.type == "fence"]
    output = alone(script, tmp_path).stdout
    assert script in blocks
    assert output in blocks
    assert output.strip() in printed


@pytest.mark.slow
def test_a_script_of_what_was_repaired_says_match(
    judged: RunRecord, home: Path, command: Command, tmp_path: Path
) -> None:
    """With log1p in the place of log(1 - p), as the mistake would be repaired, the same script exits with 0."""
    assert command("repro", "run.jsonl", ROUNDED, "--output", "repair", "--force").exit_code == 0
    text = (home / "repair" / "repro.py").read_text()
    assert "np.log(1 - prediction)" in text
    done = alone(text.replace("np.log(1 - prediction)", "np.log1p(-prediction)"), tmp_path)
    assert done.returncode == MATCH
    assert done.stdout.splitlines()[-1].startswith("MATCH: ")


@pytest.mark.slow
@pytest.mark.parametrize("change", [("import numpy", "import there_is_no_numpy"), ("np.log(", "np.no_such_function(")])
def test_a_script_that_cannot_tell_exits_with_125(
    judged: RunRecord, home: Path, command: Command, tmp_path: Path, change: tuple[str, str]
) -> None:
    """Without the framework, or where the call fails in another way, `git bisect run` must skip the commit."""
    assert command("repro", "run.jsonl", ROUNDED, "--output", "skip", "--force").exit_code == 0
    done = alone((home / "skip" / "repro.py").read_text().replace(*change), tmp_path)
    assert done.returncode == CANNOT_TELL
    assert done.stdout.splitlines()[-1].startswith("cannot tell: ")


OWN = """
import numpy as np
from conformance.adapters import Adapter, Implementation

EPSILON = 1e-7

class Clipped:
    def __init__(self, epsilon):
        self.epsilon = epsilon

    def __call__(self, prediction, label, reduction="none"):
        if len(prediction) != len(label):
            raise ValueError("shapes")
        p = np.clip(prediction, self.epsilon, 1 - self.epsilon)
        return terms(p.astype(np.float64), label).astype(prediction.dtype)

def terms(p, y):
    with np.errstate(all="ignore"):
        return np.where(y == 0, 0, -y * np.log(p)) + np.where(y == 1, 0, -(1 - y) * np.log1p(-p))

def loss(prediction, label):
    if len(prediction):
        return terms(np.maximum(prediction, EPSILON).astype(np.float64), label).astype(prediction.dtype)

clipped = Clipped(EPSILON)
adapters = [Adapter("mine", [Implementation(name, "probabilities", call, dtypes=("float32",)) for name, call in
                             (("clipped", clipped), ("named_like_the_script", loss))], "numpy")]
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clipped", "named_like_the_script"])
def test_a_loss_that_no_expression_follows_stands_in_the_script_with_what_it_needs(tmp_path: Path, name: str) -> None:
    """An object, and a function called `loss`; both ask for a shape.  Of the adapter there is no word."""
    (tmp_path / "mine.py").write_text(OWN)
    words = ("--adapter", "mine.py", "--implementation", f"mine/{name}", "--quantity", "value", "--dtype", "float32")
    ran = invoked(tmp_path, "run", *words, "--case", "extreme-predictions/*", "--output", "run.jsonl", "--no-sample")
    assert ran.exit_code == Exit.NOT_AS_EXPECTED, ran.stderr
    cause = next(one.cause for check in records.read(tmp_path / "run.jsonl").checks for one in check.findings)
    done = invoked(tmp_path, "repro", "run.jsonl", cause, "--adapter", "mine.py", "--output", "out")
    assert done.exit_code == 0, done.stderr
    text = (tmp_path / "out" / "repro.py").read_text()
    assert "conformance" not in text
    assert "EPSILON = 1e-7" in text
    assert "MISMATCH" in alone(text, tmp_path).stdout


@pytest.mark.slow
def test_what_does_not_show_is_not_written(judged: RunRecord, home: Path, command: Command) -> None:
    """A record says NaN where there is none: no candidate gives it again, and there is neither script nor report."""
    check = next(one for one in judged.checks if one.findings and one.findings[0].cause == ROUNDED)
    claimed = msgspec.structs.replace(check.findings[0], what="nan")
    footer = msgspec.structs.replace(judged.footer, verdicts={check.verdict: 1})
    made = replace(judged, checks=(msgspec.structs.replace(check, findings=(claimed,)),), footer=footer)
    records.write(made, home / "claimed.jsonl")
    done = command("repro", "claimed.jsonl", ROUNDED, "--output", "claimed")
    assert (done.exit_code, (home / "claimed").exists()) == (Exit.BAD_INPUT, False)
    assert "no script: it does not show here" in done.stderr


@pytest.mark.slow
def test_inputs_are_shrunk(judged: RunRecord, home: Path, command: Command) -> None:
    """1.2345678e-9 with label 1e-12 becomes a power of ten with label 0, a single element."""
    assert command("repro", "run.jsonl", ROUNDED, "--output", "small", "--force").exit_code == 0
    text = (home / "small" / "repro.py").read_text()
    assert "prediction = np.array([float.fromhex(" in text
    assert "# 1e-09 = 0x" in text
    assert "label = np.array([0.0], dtype='float32')" in text


@pytest.mark.slow
def test_a_case_that_was_tried_and_saved_can_be_reported(home: Path, command: Command) -> None:
    """`try --save` and then `repro FILE IMPLEMENTATION`."""
    words = (
        "--form",
        "probabilities",
        "--prediction",
        "3e-9",
        "--label",
        "0",
        "--save",
        "mine.yaml",
        "--backend",
        "numpy",
    )
    tried = invoked(home, "try", *words)
    assert tried.exit_code == 1, tried.stderr
    done = command("repro", "mine.yaml", "faulty/rounded", "--output", "mine")
    assert done.exit_code == 0, done.stderr
    assert (home / "mine" / "repro.py").exists()


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_nothing_is_overwritten_unless_told_to(judged: RunRecord, home: Path, command: Command) -> None:
    """The file that is there stays as it was, the exit code is 2, and --force writes."""
    (home / "kept").mkdir(exist_ok=True)
    (home / "kept" / "repro.py").write_text("mine\n")
    done = command("repro", "run.jsonl", "--output", "kept")
    assert (done.exit_code, (home / "kept" / "repro.py").read_text()) == (Exit.BAD_INPUT, "mine\n")
    assert "is there already" in done.stderr
    assert command("repro", "run.jsonl", "--output", "kept", "--force").exit_code == 0
    assert (home / "kept" / "repro.py").read_text() != "mine\n"


@pytest.mark.slow
def test_a_hostile_neighbour_writes_nothing(judged: RunRecord, home: Path, command: Command) -> None:
    """The finding that is asked for is a good one, another check of the record is not."""
    check = next(one for one in judged.checks if one.findings and one.findings[0].cause == ROUNDED)
    strange = msgspec.structs.replace(check, id="x", implementation="../../escaped")
    records.write(replace(judged, checks=(*judged.checks, strange)), home / "neighbour.jsonl")
    done = command("repro", "neighbour.jsonl", ROUNDED, "--output", "neighbour")
    assert (done.exit_code, (home / "neighbour").exists()) == (Exit.BAD_INPUT, False)
    assert "implementation must be one of the header" in done.stderr


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A folder of reports that leads elsewhere is refused even with --force."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "reports").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="is a link"):
        job.write_files({tmp_path / "reports" / "repro.py": "x"}, force=True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "wanted",
    [
        "faulty/rounded/value/ordinary/innacurate",
        "small/values::faulty/rounded/eager/cpu::float32::value#z",
    ],
)
def test_a_finding_that_is_not_there_is_told_with_near_ones(judged: RunRecord, command: Command, wanted: str) -> None:
    """Exit code 2, and the name that was meant."""
    done = command("repro", "run.jsonl", wanted, "--output", "none")
    assert done.exit_code == Exit.BAD_INPUT
    assert "did you mean" in done.stderr
    assert "faulty/rounded" in done.stderr


@pytest.mark.slow
def test_every_new_finding_has_a_report_of_its_cause(judged: RunRecord, home: Path, command: Command) -> None:
    """One folder for each cause, named after it, and an index of all; what has no script is in it with the reason."""
    done = command("repro", "run.jsonl", "--all", "--output", "all")
    assert done.exit_code == 0, done.stderr
    wanted = {one.cause for one in finding.seen(judged) if one.outcome == "new"}
    page = (home / "all" / "README.md").read_text()
    made = {file.parent.name for file in (home / "all").glob("*/issue.md")}
    without = set(re.findall(r"^\| `(.+?)` \|", page.partition("## Without a script")[2], re.MULTILINE))
    assert made == set(re.findall(r"\]\(([^/)]+)/issue\.md\)", page))
    assert {groups.folder_name(cause) for cause in KINDS} <= made
    assert made == {groups.folder_name(cause) for cause in wanted - without}
    assert without < wanted
    refused = command("repro", "run.jsonl", "--all", "--output", "all")
    assert refused.exit_code == Exit.BAD_INPUT
    assert "is there already" in refused.stderr


#: Names that lead elsewhere, end a string of Python, and mean something to a shell; by what asks for them.
HOSTILE_NAMES = [
    ((), "../../escaped"),
    ((), HOSTILE + '"""\nimport os\n'),
    (("--all",), "../../$(touch escaped); `touch escaped`"),
]


@pytest.mark.slow
@pytest.mark.parametrize("field", ["case", "implementation", "dtype", "quantity", "cause"])
@pytest.mark.parametrize(("words", "text"), HOSTILE_NAMES)
def test_a_hostile_record_writes_nothing(
    judged: RunRecord, home: Path, command: Command, field: str, words: tuple[str, ...], text: str
) -> None:
    """A name that the suite does not know is refused, whatever it looks like; there is no file and no traceback."""
    check = next(one for one in judged.checks if one.findings)
    if field == "cause":
        changed = msgspec.structs.replace(
            check, findings=tuple(msgspec.structs.replace(one, cause=text) for one in check.findings)
        )
    else:
        changed = msgspec.structs.replace(check, **{field: text})
    inputs = msgspec.structs.replace(
        judged.inputs_by_case[check.case, check.dtype],
        case=changed.case,
        dtype=changed.dtype,
    )
    records.write(replace(judged, checks=(changed,), inputs=(*judged.inputs, inputs)), home / "hostile.jsonl")
    before = sorted(home.rglob("*"))
    done = command("repro", "hostile.jsonl", *words, "--output", "hostile")
    assert done.exit_code == Exit.BAD_INPUT, done.stderr
    assert "Traceback" not in done.stderr
    assert [
        file for file in sorted(home.rglob("*")) if file not in before and ".bce-conformance" not in str(file)
    ] == []


@deterministic
@given(st.text())
def test_the_name_of_a_folder_is_one_whatever_it_is_made_of(text: str) -> None:
    """It has no separator, is not hidden and does not lead upwards."""
    assert re.fullmatch(r"[a-z0-9_][a-z0-9._-]*", groups.folder_name(text))


@deterministic
@given(st.text(alphabet=st.sampled_from("`~ab \n<>|")))
def test_nothing_ends_a_block_of_code(text: str) -> None:
    """A parser of Markdown reads back one block with exactly the text."""
    (token,) = MarkdownIt().parse(issue.fenced(text, "text"))
    assert token.content.rstrip("\n") == text.rstrip("\n")


# -- numbers ---------------------------------------------------------------------------------------------------------


@deterministic
@given(st.sampled_from(sorted(FORMATS)), st.integers(0, 2**64 - 1))
def test_a_number_in_a_script_has_the_bits_of_the_input(dtype: str, raw: int) -> None:
    """What Python makes of the text is rounded to the very bits, zeros with their sign; a NaN stays one."""
    fmt = FORMATS[dtype]
    bits = raw % (1 << fmt.width)
    value = eval(tensors.number(bits, dtype), {"float": float})
    if value != value:
        assert tensors.number(bits, dtype) == 'float("nan")'
        return
    assert bits_of(value.hex() if abs(value) != float("inf") else str(value), fmt) == bits


# -- the exact value -------------------------------------------------------------------------------------------------

#: The names of the formulas, at a point that is nowhere special, for Python's own functions.
POINT = {"z": 0.75, "p": 0.3, "y": 0.6, "w": 1.5, "q": 2.5}


def numbers_of(**point: float) -> dict[str, Any]:
    """What a formula is evaluated with."""
    functions = {
        "softplus": lambda x: math.log1p(math.exp(x)),
        "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
        "log": math.log,
        "exp": math.exp,
    }
    return functions | point


@pytest.mark.parametrize("key", derivation.FORMULAS, ids=" ".join)
def test_a_formula_is_that_of_the_reference(key: tuple[str, str]) -> None:
    """Evaluated in float64 it is the oracle's value, which knows nothing of these texts."""
    form, quantity = key
    x = POINT["z" if form == "logits" else "p"]
    exact = oracle.exact(form, quantity, x, POINT["y"], POINT["w"], POINT["q"])
    assert eval(derivation.FORMULAS[key], numbers_of(**POINT)) == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize("key", [*derivation.PLAIN, *derivation.AT_LABEL], ids=" ".join)
def test_a_shorter_formula_is_the_same(key: tuple[str, ...]) -> None:
    """Without weights, and at a label of 0 or 1, less is left of it, and the value is that of the long one."""
    short = derivation.AT_LABEL.get(key) or derivation.PLAIN[key]  # type: ignore[call-overload]
    label = {"y": float(key[2])} if len(key) == 3 else {}
    point = numbers_of(**(POINT | {"w": 1.0, "q": 1.0} | label))
    assert eval(short, point) == pytest.approx(eval(derivation.FORMULAS[key[0], key[1]], point), rel=1e-12)


# -- shrinking -------------------------------------------------------------------------------------------------------


def test_candidates_are_few_and_begin_with_the_finding() -> None:
    """However many options and digits there are, one request has at most 64 elements, all with the same options."""
    element = Element(id="e0", prediction="1.2345678e-9", label="0.123456", weight="1.75", pos_weight="3.25")
    one = case(elements=(element,))
    target = finding.Target(
        case=one,
        family="small",
        implementation=implementation(),
        dtype="float32",
        quantity="value",
        element="e0",
        what="inaccurate",
        cause="stub/loss/x/y/z",
    )
    made = list(shrink.smaller(target))
    assert {each.options for each in made} == {(), ("weight",), ("pos_weight",), ("weight", "pos_weight")}
    assert all(len(each.elements) <= shrink.CANDIDATES for each in made)
    assert all(len({other.options for other in each.elements}) == 1 for each in made)
    whole = next(each for each in made if len(each.options) == 2)
    numbers = [bits_of(text, FORMATS["float32"]) for text in shrink.texts_of(whole.elements[0])]
    assert numbers == [bits_of(text, FORMATS["float32"]) for text in shrink.texts_of(element)]


def test_a_hard_label_stays_hard() -> None:
    """An entry point that takes the labels 0 and 1 alone gets no other one."""
    one = case(("0.123456", "1"))
    chosen = finding.Target(
        case=one,
        family="small",
        implementation=implementation(labels="hard"),
        dtype="float32",
        quantity="value",
        element="e0",
        what="x",
        cause="a/b/c/d/e",
    )
    labels = {element.label for each in shrink.smaller(chosen) for element in each.elements}
    assert labels == {"0", "1"}


# -- projects --------------------------------------------------------------------------------------------------------


def test_every_framework_has_a_project_and_every_part_a_text() -> None:
    """An adapter without one is made of formulas of the suite's own; no form asks for a part that there is not."""
    names = {adapter.name for module in adapters.BUILTIN for adapter in adapters.load_builtin(module)}
    assert {name for name in names if projects.project_of(f"{name}/entry/eager/cpu") is None} == {"numpy"}
    for one in projects.projects():
        parts = [part for section in one.sections for part in section.parts]
        assert set(parts) <= set(issue.PARTS)
        assert {"description", "code", "output", "expected", "cause", "extent", "related", "versions"} <= set(parts)
        assert one.rules
        assert len(parts) == len(set(parts))


@pytest.mark.parametrize(
    ("implementation", "words"),
    [
        ("torch/nn.BCELoss/compile/cpu", "`torch.nn.BCELoss` under torch.compile"),
        ("keras-jax/losses.binary_crossentropy[from_logits]/eager/cpu",
         "`keras.losses.binary_crossentropy` with from_logits on JAX"),
        ("tensorflow/nn.loss/function/cpu", "`tf.nn.loss` in a tf.function"),
        ("torch/loss/fast/cpu", "`torch.loss` in mode fast"),
        ("numpy/log_textbook/eager/cpu", "`log_textbook` (`numpy`)"),
    ],
)  # fmt: skip
def test_an_implementation_is_called_as_people_of_its_project_call_it(implementation: str, words: str) -> None:
    """By its public name, backend and mode; one of nobody's project by its id."""
    assert projects.called(implementation) == words


# -- groups ----------------------------------------------------------------------------------------------------------


def problem(name: str, **fields: Any) -> Problem:
    """A problem of torch."""
    given = {"kind": "bug", "advice": "file", "why": "it is so", "explains": (Explains(entries=("torch/*",)),)}
    return Problem(**(given | {"id": name, "title": f"{name} is wrong"} | fields))


def found(cause: str, problem: str = "", element: str = "b", **fields: Any) -> groups.Found:
    """A finding of a check of torch."""
    line = check("/".join((*cause.split("/")[:2], "eager", "cpu")), "deviates", **fields)
    return groups.Found(line, msgspec.structs.replace(finding_line("recorded", cause), element=element), problem)


def test_findings_of_one_problem_share_a_report_in_each_project() -> None:
    """Two causes of one problem are one group, named after it; one in another project is another, with its name."""
    known = Record(problems={name: problem(name) for name in ("lost", "both")})
    causes = {name: f"{name}/value/ordinary/inaccurate" for name in ("torch/a", "torch/b", "jax/optax.c", "torch/d")}
    members = [
        found(causes["torch/a"], "lost"),
        found(causes["torch/b"], "lost"),
        found(causes["torch/a"], "both"),
        found(causes["jax/optax.c"], "both"),
        found(causes["torch/d"]),
    ]
    made = groups.grouped(members, known)
    assert [(one.name, one.causes, one.title) for one in made] == [
        ("lost", [causes["torch/a"], causes["torch/b"]], "lost is wrong"),
        ("both-pytorch", [causes["torch/a"]], "both is wrong"),
        ("both-optax", [causes["jax/optax.c"]], "both is wrong"),
        ("torch-d-value-ordinary-inaccurate", [causes["torch/d"]], ""),
    ]


def test_what_a_project_inherits_is_in_the_report_of_the_one_that_is_told() -> None:
    """Of a comment that is the one whose report it is below; of a new report that of the finding that is named."""
    own, keras = found("torch/a/value/ordinary/inaccurate", "lost"), found("keras-torch/b/value/ordinary/nan", "lost")
    link = Upstream(url="https://github.com/pytorch/pytorch/issues/1", state="open", seen="2026-01-31")
    for fields in ({"advice": "comment", "links": (link,)}, {"shown_by": own.name}):
        known = Record(problems={"lost": problem("lost", **fields)})
        (made,) = groups.grouped([keras, own], known)
        assert (made.name, made.project, made.found) == ("lost", "PyTorch", (keras, own))
        harms = {(one.check.id, one.finding.element): Harm.DRIFTS for one in made.found}
        assert next(ranked(made, harms, run().inputs_by_case)) == own
    apart = groups.grouped([keras, own], Record(problems={"lost": problem("lost")}))
    assert [(one.name, one.project) for one in apart] == [("lost-keras", "Keras"), ("lost-pytorch", "PyTorch")]


def test_a_problem_of_chosen_cases_binds_its_findings_to_their_options() -> None:
    """Labels of another dtype left out, the same cause would show another problem."""
    cause = "torch/a/value/ordinary/inaccurate"
    one = found(cause, "lost")
    everywhere, there = Explains(entries=("torch/*",)), Explains(entries=("torch/*",), cases=("small/*",))
    for explains, bound in (((everywhere,), False), ((there,), True), ((there, everywhere), False)):
        assert groups.Group("x", (one,), problem("lost", explains=explains)).is_bound(one) is bound


# -- which finding shows it ------------------------------------------------------------------------------------------


def test_a_plain_call_of_everyday_inputs_shows_a_problem_before_worse_harm_elsewhere() -> None:
    """Then a short way to the entry point, and float32; the element that the problem names is before all."""
    made = [
        found("torch/nn.functional.a/value/ordinary/inaccurate"),
        found("torch/nn.A/value/infinite/inaccurate"),
        found("torch/nn.A/value/ordinary/inaccurate", quantity="relation"),
        found("torch/nn.A/value/ordinary/inaccurate", element="a"),
    ]
    harms = {(one.check.id, one.finding.element): Harm.DRIFTS for one in made} | {
        (made[1].check.id, "b"): Harm.BREAKS,
        (made[3].check.id, "a"): Harm.DRIFTS,
    }
    inputs = run().inputs_by_case
    order = list(ranked(Group("x", tuple(made)), harms, inputs))
    assert [made.index(one) for one in order] == [3, 1, 2, 0]
    named = Group("x", tuple(made), problem("lost", shown_by=made[0].name))
    assert next(ranked(named, harms, inputs)) == made[0]


def test_alike_findings_are_tried_once() -> None:
    """Of one backend, mode, dtype and kind of finding the first; another kind is tried, too."""
    made = [
        found("torch/nn.A/value/ordinary/inaccurate"),
        found("torch/nn.B/value/ordinary/inaccurate"),
        found("torch/nn.B/value/ordinary/non-finite"),
    ]
    harms = {(one.check.id, one.finding.element): Harm.DRIFTS for one in made}
    tried = representatives(Group("x", tuple(made)), harms, run().inputs_by_case)
    assert [made.index(one) for one in tried] == [0, 2]
