"""What a report says of a bug: its width, its near-duplicates, what is documented, and why a value is expected."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conformance.contracts import Clip, Contract
from conformance.diagnosis.diagnosis import Example
from conformance.diagnosis.guilty import guilty
from conformance.diagnosis.mechanism import mechanisms_of
from conformance.errors import InputError
from conformance.formulas.arithmetic import EACH, Arithmetic
from conformance.formulas.exact import PartlyExact, Steps
from conformance.formulas.expression import as_expression, var
from conformance.judge.harm import Harm
from conformance.known import recorded
from conformance.known.problem import Explains, Problem, Upstream
from conformance.known.record import Record
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import bits_of
from conformance.record.record import CheckLine
from conformance.repro import (
    derivation,
    finding,
    groups,
    index,
    neighbours,
    one_call,
    proofs,
    script,
    shrink,
    snippet,
    wording,
)
from conformance.repro.blame import Blame
from conformance.repro.extent import Row, extent
from conformance.repro.groups import Group
from conformance.repro.report import Failed
from conformance.repro.script import TEMPLATES
from conformance.repro.sources import Source
from conformance.sweep.certificate import Certificate, Result, Worst
from tests.builders import SOURCE, case, implementation, judged, request, returned
from tests.records import check, run
from tests.records import finding as finding_line

# -- how wide it is, by a run ----------------------------------------------------------------------------------------

CAUSE = "stub/loss/value/ordinary/inaccurate"

#: Every step in float32.
EACH_FLOAT32 = Arithmetic(name=EACH, inputs="float32", step="float32", inside="float32", result="float32")


def seen(*checks: CheckLine) -> list[Row]:
    """The rows of the findings in a record of some checks."""
    return extent(finding.findings(run(checks)))


def test_a_call_that_ends_is_one_row_whatever_was_asked_of_it() -> None:
    """Value, dtype and shape of a call that is refused are one bug."""
    refused = msgspec.structs.replace(finding_line("recorded", CAUSE), what="unsupported")
    checks = [
        check("stub/loss/eager/cpu", "deviates", quantity=name, findings=(refused,))
        for name in ("value", "result-dtype")
    ]
    assert [(row.quantity, row.elements) for row in seen(*checks)] == [("the call", 2)]


def test_findings_of_one_entry_point_and_quantity_are_one_row() -> None:
    """Counts are added, modes joined; another entry point has a row of its own, after the larger one."""
    checks = [
        check(name, "deviates", findings=(finding_line("recorded", CAUSE),))
        for name in ("stub/other/eager/cpu", "stub/loss/eager/cpu", "stub/loss/jit/cpu")
    ]
    loss, other = seen(*checks)
    assert (loss.entry, loss.elements, list(loss.modes)) == ("stub/loss", 2, ["eager", "jit"])
    assert (other.entry, other.elements) == ("stub/other", 1)


# -- how wide it is, by a certificate --------------------------------------------------------------------------------

LOSS = "torch/loss/eager/cpu"

#: Exactly, the largest error and the first predictions beyond 4 ULP and at 0; bit patterns of float32.
RESULT = Result(
    implementation=LOSS,
    label="00000000",
    label_value=0.0,
    dtype="float32",
    points=4278190080,
    ordinals=(1, 2, 3, 4),
    worst={
        "ideal": Worst(1.7e7, "c19b43d5", "00000000", "00000000", "0x1p-28"),
        "scaled": Worst(1.7e7, "c19b43d5", "00000000", "00000000", "0x1p-28"),
    },
    binades={},
    firsts={
        "-4 ulp": {"prediction": "c0000000", "label": "00000000"},
        "-zero": {"prediction": "c1680000", "label": "00000000"},
    },
)


def certified(tmp_path: Path, *results: Result, kind: str = "proof") -> Path:
    """A folder with one certificate of these results."""
    covered = {"predictions": 4278190080, "of": 4278190080, "points": 4278190080, "labels": ["00000000"]}
    covered |= {"first": "00000000", "last": "ff7fffff", "pairs": False, "samples": 0}
    machine = {"processor": "one"}
    one = Certificate(
        schema=1,
        kind=kind,
        suite="0",
        command="command",
        backend="torch",
        versions={},
        environment={},
        machine=machine,
        form="logits",
        quantity="value",
        dtype="float32",
        covered=covered,
        chunk=1,
        kernel="1",
        code="0",
        results=results,
    )
    (tmp_path / "mine.json").write_bytes(msgspec.json.encode(one))
    return tmp_path


def test_a_certificate_tells_the_largest_error_and_where_it_begins(tmp_path: Path) -> None:
    """Every prediction was tried; numbers are decimals beside their bits."""
    (found,) = proofs.proofs(["torch/loss/value/ordinary/inaccurate"], {LOSS: ()}, certified(tmp_path, RESULT))
    assert found == (
        "float32",
        0.0,
        "`torch.loss`, the loss, every finite float32 prediction, label 0: "
        "at most 1.7e+07 ULP off the exact value, at -19.4081 (0xc19b43d5); "
        "more than 4 ULP off first at -2 (0xc0000000), going out from 0; "
        "0 where the exact value is not first at -14.5 (0xc1680000), going out from 0",
    )


@pytest.mark.parametrize(
    "cause",
    [
        "torch/loss/value/outside/inaccurate",
        "torch/loss/value/ordinary/non-finite",
        "torch/loss/gradient-prediction/ordinary/inaccurate",
        "torch/other/value/ordinary/inaccurate",
        "jax/loss/value/ordinary/inaccurate",
    ],
)
def test_a_certificate_of_something_else_is_not_quoted(tmp_path: Path, cause: str) -> None:
    """Another region, class, quantity, entry point or backend."""
    assert proofs.proofs([cause], {LOSS: ()}, certified(tmp_path, RESULT)) == []


def test_a_label_whose_results_are_as_documented_is_not_quoted(tmp_path: Path) -> None:
    """With a clip in the contract the error against it counts; where all are documented there is no such column."""
    clip = (Clip("1e-7", "0.9999999", SOURCE),)
    near = msgspec.structs.replace(
        RESULT, worst=RESULT.worst | {"contract": Worst(1.5, "c19b43d5", "00000000", "00000000", "0x0p+0")}
    )
    far = msgspec.structs.replace(
        RESULT, worst=RESULT.worst | {"contract": Worst(9.0, "c19b43d5", "00000000", "00000000", "0x0p+0")}
    )
    quoted = [
        proofs.proofs([f"{LOSS[:10]}/value/ordinary/inaccurate"], {LOSS: clip}, certified(tmp_path, one))
        for one in (RESULT, near, far)
    ]
    assert [len(lines) for lines in quoted] == [0, 0, 1]


def test_results_without_a_number_are_counted(tmp_path: Path) -> None:
    """A cause of NaN is shown by a count of them, a sample is none of every prediction."""
    some = msgspec.structs.replace(RESULT, worst={}, firsts={}, classes={"nan": 255})
    place = certified(tmp_path, some, kind="lower bound")
    (found,) = proofs.proofs(["torch/loss/value/saturated/non-finite"], {LOSS: ()}, place)
    assert "4,278,190,080 float32 predictions" in found.text
    assert "NaN for 255 of 4,278,190,080" in found.text


def test_a_certificate_that_is_broken_is_bad_input(tmp_path: Path) -> None:
    """Not passed over in silence."""
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InputError, match=r"broken\.json"):
        proofs.proofs([CAUSE], {LOSS: ()}, tmp_path)


def test_the_shipped_certificates_are_quoted_for_what_they_are_about() -> None:
    """The loss of torch at label 0 that pytorch/pytorch#195529 reports."""
    name = "torch/nn.functional.binary_cross_entropy_with_logits"
    found = proofs.proofs([f"{name}/value/ordinary/inaccurate"], {f"{name}/eager/cpu": ()}, proofs.folder())
    assert any("float32 prediction, label 0: at most 1.68e+07 ULP" in one.text for one in found)
    assert not any(one[:2] == ("float32", 1.0) for one in found)


# -- which causes are alike ------------------------------------------------------------------------------------------


def test_near_duplicates_are_of_the_same_entry_point_or_the_same_project() -> None:
    """The most alike first; what has the region in common alone is not alike."""
    cause = "torch/a/value/ordinary/flushed"
    linked = {
        "jax/b/value/ordinary/flushed": "https://github.com/jax-ml/jax/issues/1",
        "torch/a/acceptance/ordinary/unsupported": "https://github.com/pytorch/pytorch/issues/2",
        "torch/b/value/ordinary/flushed": "https://github.com/pytorch/pytorch/issues/3",
        "keras-torch/a/value/ordinary/flushed": "https://github.com/keras-team/keras/issues/4",
        "torch/a/value/ordinary/inaccurate": "https://github.com/pytorch/pytorch/issues/5",
    }
    known = Record(
        rows=tuple(row(name, f"p{number}") for number, name in enumerate(linked)),
        problems={f"p{number}": problem(f"p{number}", link) for number, link in enumerate(linked.values())},
    )
    assert [one.urls[0].rpartition("/")[2] for one in groups.near(cause, known)] == ["4", "5", "3"]


def problem(name: str, *links: str, **fields: Any) -> Problem:
    """A problem that is known upstream."""
    given: dict[str, Any] = {
        "kind": "bug",
        "advice": "file",
        "why": "it is so",
        "explains": (Explains(entries=("*",)),),
    }
    seen_on = tuple(Upstream(url=link, state="open", seen="2026-01-31") for link in links)
    return Problem(**(given | {"id": name, "title": f"{name} is wrong", "links": seen_on} | fields))


def row(cause: str, name: str) -> recorded.Row:
    """A recorded line of a cause."""
    return recorded.Row(
        problem=name, cause=cause, modes=("eager",), device="cpu", case="small/one", dtype="float32",
        quantities=("value",), words=("inexact",), magnitude=None, elements=("b",), sometimes=frozenset(),
    )  # fmt: skip


# -- words -----------------------------------------------------------------------------------------------------------


def small(prediction: str, label: str, got: float, contract: Contract = ()) -> shrink.Small:
    """An element for which `got` came back, in float32."""
    asked = request(case((prediction, label)), implementation(contract))
    shown = judged(asked, returned([got]))
    (found,) = shown.findings
    target = finding.Target(
        case=asked.case,
        family="small",
        implementation=asked.implementation,
        dtype="float32",
        quantity="value",
        element="e0",
        what=found.what,
        cause=found.cause,
    )
    return shrink.Small(target, asked, 0, shown)


@pytest.mark.parametrize(
    ("prediction", "label", "got", "words"),
    [
        ("0.5", "1", 0.75, "the loss in float32 is off by 9.5e+05 ULP where it is 0.6931"),
        ("0.5", "1", math.nan, "the loss in float32 is NaN where it is 0.6931"),
        ("1", "1", 0.25, "the loss in float32 is 0.25 where it is 0"),
        ("0", "1", 16.0, "the loss in float32 is finite where it is inf"),
        ("2", "1", 16.0, "the loss in float32 is a number where it is NaN"),
    ],
)
def test_what_is_wrong_is_told_in_words(prediction: str, label: str, got: float, words: str) -> None:
    """An error of an exact 0 is told by the number that came back: its ULP would be that of the smallest number."""
    assert wording.words(small(prediction, label, got)) == words


def test_a_result_that_is_neither_exact_nor_documented_is_told_beside_both() -> None:
    """At p = 0 the exact loss is infinite, and with a clip at 1e-7 it is 16.1181: a script takes either for a match."""
    clipped = (Clip("1e-7", "0.9999999", SOURCE),)
    one = small("0", "1", 20.0, clipped)
    assert wording.words(one) == "the loss in float32 is 20 where it is inf, or 16.1181 as documented"
    assert one.documented == pytest.approx(-math.log(1e-7), rel=1e-7)
    for got, wrong in ((20.0, True), (one.documented, False), (math.inf, False), (math.nan, True)):
        names = {"got": got, "expected": math.inf, "documented": one.documented}
        exec("\n".join(one_call._error(one, one.documented)), names)
        assert eval(one_call._wrong(one, math.inf, 4.0), names) is wrong


@pytest.mark.parametrize(
    ("form", "prediction", "label", "why"),
    [
        ("probabilities", "2", "1", "p = 2 is no probability"),
        ("probabilities", "0.5", "nan", "an input is NaN"),
        ("logits", "1", "inf", "inf - inf"),
    ],
)
def test_a_nan_that_is_expected_is_explained(form: str, prediction: str, label: str, why: str) -> None:
    """No formula gives it: -log(2) is a number."""
    assert why in derivation.no_value(request(case((prediction, label), form=form)).inputs)


def test_an_ordinary_prediction_comes_before_a_subnormal_one() -> None:
    """Even where the mistake is larger there; 0 counts as ordinary."""
    ordinary, tiny, endless = small("0.5", "1", 0.75), small("1e-45", "1", 0.0), small("0", "1", 16.0)
    assert sorted((tiny, ordinary), key=shrink._simplicity) == [ordinary, tiny]
    assert shrink._simplicity(endless)[0] is False


def test_dtypes_of_its_own_are_left_out_where_a_finding_does_without() -> None:
    """A label of float32 beside a prediction of float64 would make a reader doubt the label."""
    one = case(("0.5", "1"), dtypes_of={"label": "float32"})
    target = finding.Target(
        case=one,
        family="small",
        implementation=implementation(),
        dtype="float64",
        quantity="value",
        element="e0",
        what="inaccurate",
        cause=CAUSE,
    )
    assert [each.dtypes_of for each in shrink.smaller(target)] == [{}, {"label": "float32"}]


def test_everyday_predictions_are_among_the_candidates() -> None:
    """Of a finding at 1.2345678e-9 also 0.5 is tried, and the exact bits of the finding are, too."""
    target = finding.Target(
        case=case(("1.2345678e-9", "0")),
        family="small",
        implementation=implementation(),
        dtype="float32",
        quantity="value",
        element="e0",
        what="x",
        cause=CAUSE,
    )
    (made,) = shrink.smaller(target)
    bits = [bits_of(one.prediction, FORMATS["float32"]) for one in made.elements]
    assert {bits_of(text, FORMATS["float32"]) for text in ("0.5", "1.2345678e-9")} <= set(bits)


def test_two_modes_are_compared_on_the_inputs_of_the_finding_too() -> None:
    """The cause of a disagreement is of all inputs of a call together: 0.5 beside 1e-9 could change it."""
    one = case(("1.2345678e-9", "0"))
    target = finding.Target(
        case=one,
        family="small",
        implementation=implementation(),
        dtype="float32",
        quantity="agreement",
        element="e0",
        what="nan",
        cause=CAUSE,
    )
    first, second = shrink.smaller(target)
    assert first.elements == one.elements
    assert "0.5" not in {each.prediction for each in second.elements}


def test_helpers_of_a_script_are_whole() -> None:
    """Two functions with a line in common are both written down in full, a function that is named twice once."""
    helpers = tuple(
        f"def {name}(f):\n    result = f()\n    return {sign}result" for name, sign in (("a", ""), ("b", "-"))
    )
    empty = dict.fromkeys(("produced", "tensor", "reshaped", "number", "numbers", "dtype"), "")
    call = Source(
        kind="", modules=("import x",), versions=(), arguments=("prediction", "label"), loss="x.loss(label)",
        helpers=(*helpers, helpers[0]), before=(), result="loss(prediction, label)", **empty,
    )  # fmt: skip
    text = script.compose(small("0.5", "1", 0.75), [call]).text
    assert [text.count(helper) for helper in helpers] == [1, 1]


# -- the index -------------------------------------------------------------------------------------------------------


def test_a_group_without_a_script_is_in_the_index_with_its_reason() -> None:
    """And with what is recorded upstream; the name of the check is not told twice."""
    target = finding.Target(
        case=case(("0.5", "1")),
        family="small",
        implementation=implementation(),
        dtype="float32",
        quantity="value",
        element="e0",
        what="x",
        cause=CAUSE,
    )
    near = [problem("flushed", "https://github.com/a/b/issues/5")]
    failed = Failed(target, f"{target.name}: no script | tells")
    page = index.render([index.Entry(Group("mine", ()), failed, Harm.DRIFTS, near)], [], "2026-01-01")
    upstream = "none is known; much like <https://github.com/a/b/issues/5>"
    assert f"| `{CAUSE}` | none | {upstream} | no script \\| tells |" in page


def test_what_is_left_alone_is_a_line_with_its_reason() -> None:
    """A reader who looks for it learns why nobody is to be told."""
    left = problem("noise", advice="noise", because="It is documented,\n  and harmless.")
    page = index.render([], [left], "2026-01-01")
    assert "- [noise is wrong](../known/noise.yaml): It is documented, and harmless.\n" in page


# -- which step is to blame ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mechanism", "shows"), [((), True), (("absorbed", "flushed"), True), (("saturated",), False)])
def test_a_script_is_taken_where_what_happens_is_what_the_problem_says(mechanism: tuple[str, ...], shows: bool) -> None:
    """A script that shows another mistake than its title is worse than none; a problem may leave the step open."""
    blame = Blame(example=absorbed(), explained=9, total=9, where=(), mended=None)
    assert blame.is_of(problem("lost", mechanism=mechanism)) is shows
    assert blame.is_of(None)


def absorbed() -> Example:
    """Of 1 + 1e-9 in float32 the small term is lost."""
    x = var("p")
    steps = Steps(as_expression(1) + x, EACH_FLOAT32, "float32")
    guilt = guilty(PartlyExact(steps, {"p": 1e-9}), 1 + 1e-9, 1e-3)
    return Example(
        case="c", element="e", cause=CAUSE, got=1.0, guilt=guilt, found=mechanisms_of(guilt, derivative=False)
    )


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, True),
        ({"adapter": "keras-torch"}, False),
        ({"mode": "compile"}, False),
        ({"form": "logits"}, False),
        ({"dtypes": ("float64",)}, False),
        ({"quantities": ("gradient-prediction",)}, False),
        ({"link": ""}, False),
    ],
    ids=str,
)
def test_neighbours_are_plain_calls_of_the_same_project_that_can_be_asked_the_same(
    fields: dict[str, Any], asked: bool
) -> None:
    """A formula written by hand has no documentation to link to, and is nobody's call."""
    own = implementation(adapter="torch", entry="nn.A", link="https://example.org/a")
    other = own._replace(entry="nn.B")._replace(**fields)
    assert neighbours.takes(other, request(case(("0.5", "1")), own)) is asked


# -- the call in few lines -------------------------------------------------------------------------------------------

HELPER = """\
def gradient(function, variable):
    with tape() as one:
        one.watch(variable)
        result = function(variable)
    return one.gradient(result, variable)"""


def source(**fields: Any) -> Source:
    """A call of a framework x."""
    given: dict[str, Any] = {
        "kind": "", "modules": ("import os", 'os.environ["A"] = "b"', "import x", "import x.y as y"), "versions": (),
        "arguments": ("prediction", "label"), "loss": "x.loss(label, prediction)", "helpers": (), "before": (),
        "result": "loss(prediction, label)", "produced": "", "tensor": "x.tensor([{numbers}])", "reshaped": "",
        "number": "{result}.item()", "numbers": "{result}.tolist()", "dtype": "str({result}.dtype)",
    }  # fmt: skip
    return Source(**(given | fields))


def short(**fields: Any) -> list[str]:
    """The lines for an element."""
    one = small("0.1", "1", 0.75)
    return snippet.lines(one, script.single(one), source(**fields))


def test_a_snippet_is_the_call_itself_with_decimals() -> None:
    """Imports are one line; the bits of 0.1 in float32 are those of the decimal, too."""
    assert short() == [
        'import os; os.environ["A"] = "b"; import x, x.y as y',
        "prediction, label = x.tensor([0.1]), x.tensor([1.0])",
        "print(x.loss(label, prediction).item())",
    ]


def test_a_snippet_with_a_helper_has_five_lines() -> None:
    """What stands below `with` is joined to it, and the tensors are handed to the call."""
    made = short(helpers=(HELPER,), result="gradient(lambda prediction: loss(prediction, label), prediction)")
    assert made == [
        'import os; os.environ["A"] = "b"; import x, x.y as y',
        "def gradient(function, variable):",
        "    with tape() as one: one.watch(variable); result = function(variable)",
        "    return one.gradient(result, variable)",
        "print((lambda prediction, label: gradient(lambda prediction: x.loss(label, prediction), prediction))"
        "(x.tensor([0.1]), x.tensor([1.0])).item())",
    ]


def test_a_snippet_that_would_name_the_loss_of_its_script_is_none() -> None:
    """A line of the mode that wraps it stands in the script alone."""
    one = small("1", "0", 0.0)
    text = source(before=("loss = compiled(loss)",))
    assert snippet.snippet(one, [text], sys.executable, 1.0) is None


def test_a_loss_that_is_handed_on_is_a_lambda() -> None:
    """As in `vmap(loss)(prediction, label)`."""
    last = short(result="x.vmap(loss)(prediction, label)")[-1]
    assert last == "print(x.vmap(lambda prediction, label: x.loss(label, prediction))(prediction, label).item())"


# -- what git makes of a script --------------------------------------------------------------------------------------

#: Commits of a framework whose loss is wrong from the fifth on; the third cannot be imported, the sixth raises.
COMMITS = (
    "def loss(p): return 1.0",
    "def loss(p): return 1.0  # the same",
    "import no_such_module",
    "def loss(p): return 1.0  # again",
    "def loss(p): return 2.0",
    "def loss(p): raise KeyError(p)",
    "def loss(p): return 2.0  # the same",
)


@pytest.mark.slow
def test_git_bisect_finds_the_commit_by_a_script(tmp_path: Path) -> None:
    """Head and end of a script are those of the template; commits at which it exits with 125 are skipped."""
    body = [
        "got = loss(0.5)",
        "if got != 1.0:",
        '    print("MISMATCH: it is not 1")',
        "    sys.exit(1)",
        "print('MATCH')",
    ]
    loss = {"arguments": ("prediction",), "loss": "fake.loss(prediction)"}
    text = TEMPLATES.get_template("repro.py.j2").render(
        title="x", modules=["import fake"], helpers=(), functions=[("loss", loss)], body=body
    )
    (tmp_path / "repro.py").write_text(text)
    work = tmp_path / "framework"
    work.mkdir()
    own = {"HOME": str(tmp_path), "PYTHONPATH": str(work), "PYTHONDONTWRITEBYTECODE": "1", "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
        return subprocess.check_output(command, cwd=work, text=True, env=os.environ | own)

    git("init", "--quiet")
    for number, text in enumerate(COMMITS):
        (work / "fake.py").write_text(f"{text}\n")
        git("add", "fake.py")
        git("commit", "--quiet", "--message", f"commit {number}")
    git("bisect", "start", "HEAD", f"HEAD~{len(COMMITS) - 1}")
    told = git("bisect", "run", sys.executable, str(tmp_path / "repro.py"))
    first = git("rev-parse", ":/commit 4").strip()
    assert f"{first} is the first bad commit" in told
