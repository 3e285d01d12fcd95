"""`bce-conformance choose`: needs, their evidence, and the order of what meets them."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.adapters import ALL_DTYPES
from conformance.choose import needs
from conformance.choose.choose import DOCUMENTED, MET, NOT_MEASURED, NOT_MET, Choice, Row
from conformance.errors import InputError
from conformance.quantities import QUANTITIES
from conformance.record import record
from conformance.record.record import FindingLine, ImplementationLine, RunRecord, SpeedLine
from conformance.render import choice as choices
from conformance.run import pinned
from tests.builders import deterministic
from tests.choices import A, B, C, check, chosen, run

ROOT = Path(__file__).parents[2]


def named(choice: Choice) -> dict[str, Row]:
    """The rows by implementation; each stands once."""
    found = {row.implementation: row for row in choice.rows}
    assert len(found) == len(choice.rows)
    return found


# -- needs -----------------------------------------------------------------------------------------------------------


def test_a_need_is_met_not_met_or_not_measured() -> None:
    """All evidence right, some of it wrong, and none of it: three statuses, and the wrong element is named."""
    wrong = check("soft-labels/two", B, "deviates", 9.0)
    made = run([check("soft-labels/one", A), check("soft-labels/one", B), wrong, check("hard-labels/one", C)])
    rows = named(chosen("soft-labels", made))
    assert {name: row.status for name, row in rows.items()} == {A: MET, B: NOT_MET, C: NOT_MEASURED}
    (answer,) = rows[B].answers
    assert (answer.grade.elements, [one.check for one in answer.wrong]) == (2, [wrong])


@pytest.mark.parametrize("verdict", ["deviates", "crashed", "timed-out", "unsupported", "undecided"])
def test_any_verdict_that_is_not_right_fails_a_need(verdict: str) -> None:
    """A need is met by what is right and by nothing else; what is undecided is no pass."""
    rows = named(chosen("hard-labels", run([check("hard-labels/one", A), check("hard-labels/two", A, verdict, None)])))
    assert rows[A].status == NOT_MET


def test_a_documented_result_meets_a_need_but_for_its_harm() -> None:
    """Off by the last digits it is as good as right, the need `ideal` takes none, and one that misleads is marked."""
    made = run([check("hard-labels/one", A), check("hard-labels/two", A, "by-contract", 40.0, contract=0.5)])
    assert named(chosen("hard-labels", made))[A].status == MET
    assert named(chosen("ideal", a_clipped_loss()))[A].status == NOT_MET
    (answer,) = named(chosen("soft-labels", a_clipped_loss()))[A].answers
    assert (answer.status, choices.answer_text(answer)) == (DOCUMENTED, "misleads*")


def test_a_contract_that_kills_the_gradient_never_meets_gradients() -> None:
    """A documented clip whose gradient is 0 where the prediction is confidently wrong breaks the training."""
    made = a_clipped_loss("gradient-prediction", ideal=-1e8)
    (answer,) = named(chosen("gradients", made))[A].answers
    assert (answer.status, choices.answer_text(answer)) == (NOT_MET, "BREAKS*")


def a_clipped_loss(quantity: str = "value", ideal: float = 18.4) -> RunRecord:
    """A record of one loss by contract, 16.1 or a gradient of 0 for p = 1e-8 and label 1."""
    one = check("soft-labels/x", A, "by-contract", 1e6, quantity, contract=0.5)
    one = msgspec.structs.replace(one, bits=("41811ccd" if quantity == "value" else "00000000",))
    made = run([one])
    (line,) = made.inputs
    bits = {"prediction": ("322bcc77",), "label": ("3f800000",)}
    told = msgspec.structs.replace(line, inputs=bits, ideal={quantity: (ideal.hex(),)})
    return dataclasses.replace(made, inputs=(told,))


def test_what_is_only_recorded_is_no_evidence() -> None:
    """A case that observes says nothing about right or wrong."""
    made = run([check("hard-labels/one", A, "recorded", None)])
    assert named(chosen("hard-labels", made))[A].status == NOT_MEASURED


def test_a_dtype_need_looks_at_the_main_families_and_at_what_is_stated() -> None:
    """float16 alone looks at hard, soft and extreme inputs in float16; with stated weights at theirs, too."""
    cases = ("hard-labels/x", "soft-labels/x", "extreme-predictions/x", "special-values/x")
    made = run([check(case, A, dtype=dtype) for case in cases for dtype in ("float32", "float16")])
    alone, beside = chosen("float16", made), chosen("special-values,float16", made)
    assert set(alone.cases(0)) == set(cases[:3])
    assert set(beside.cases(1)) == set(cases)
    assert [answer.grade.elements for answer in named(beside)[A].answers] == [1, 4]


def test_a_stated_dtype_replaces_the_assumed_one() -> None:
    """Soft labels are looked at in float32 where nothing is stated, and only in float16 where that is."""
    made = run([check("soft-labels/x", A), check("soft-labels/x", A, "deviates", 9.0, dtype="float16")])
    assert named(chosen("soft-labels", made))[A].status == MET
    assert named(chosen("soft-labels,float16", made))[A].status == NOT_MET
    assert named(chosen("soft-labels,float16,float32", made))[A].answers[0].grade.elements == 2


def test_gradients_look_at_gradients_of_the_same_inputs() -> None:
    """A wrong gradient is of no account unless gradients are needed."""
    made = run(
        [check("soft-labels/x", A), check("soft-labels/x", A, "deviates", 7.0, "gradient-prediction")],
    )
    assert named(chosen("soft-labels", made))[A].status == MET
    assert named(chosen("soft-labels,gradients", made))[A].status == NOT_MET


def test_every_element_must_be_rejected() -> None:
    """A check that is rejected at some elements and accepted at others neither rejects nor accepts."""
    mixed = ("rejects", "conforms")
    made = run(
        [
            check("out-of-range-labels/x", A, "rejects", None, "acceptance"),
            check("out-of-range-labels/x", B, "conforms", None, "acceptance"),
            check("out-of-range-labels/x", C, "rejects", None, "acceptance", verdicts=mixed),
        ]
    )
    rejecting = {name: row.status for name, row in named(chosen("out-of-range=reject", made)).items()}
    accepting = {name: row.status for name, row in named(chosen("out-of-range=accept", made)).items()}
    assert rejecting == {A: MET, B: NOT_MET, C: NOT_MET}
    assert accepting == {A: NOT_MET, B: MET, C: NOT_MET}


def test_a_form_is_a_need() -> None:
    """What takes logits does not take probabilities, however right it is."""
    made = run([check("hard-labels/x", A)], form="logits")
    assert named(chosen("logits", made))[A].status == MET
    assert named(chosen("probabilities", made))[A].status == NOT_MET


def test_a_crash_anywhere_fails_no_crash_and_nothing_else_does() -> None:
    """A wrong value is no crash; a crash on inputs that nobody stated is one."""
    made = run([check("shapes/x", A, "crashed", None), check("hard-labels/x", B, "deviates", 9.0)])
    rows = named(chosen("no-crash", made))
    assert {name: row.status for name, row in rows.items()} == {A: NOT_MET, B: MET}


def test_compile_is_not_measured_by_plain_calls() -> None:
    """A run of eager mode says neither met nor not met, and no implementation has a rank."""
    choice = chosen("compile", run([check("hard-labels/x", A)]))
    assert [(row.status, row.rank) for row in choice.rows] == [(NOT_MEASURED, None)]
    assert "compile, which was measured of no implementation" in choices.page(choice).limits


def test_compile_ranks_compiled_modes_with_their_own_evidence() -> None:
    """A compiled mode stands for its entry, all needs look at it, and a disagreement with the plain call counts."""
    right, wrong = "stub/a/jit/cpu", "stub/b/jit/cpu"
    made = run(
        [
            check("hard-labels/x", A, "deviates", 9.0),
            check("hard-labels/x", right),
            check("hard-labels/x", right, quantity="agreement", ulp=None),
            check("hard-labels/x", B),
            check("hard-labels/x", wrong),
            check("hard-labels/x", wrong, "deviates", None, "agreement"),
        ]
    )
    rows = named(chosen("compile,hard-labels", made))
    assert {name: [one.status for one in row.answers] for name, row in rows.items()} == {
        right: [MET, MET],
        wrong: [NOT_MET, MET],
    }
    assert set(named(chosen("hard-labels", made))) == {A, B}


def test_vectorized_modes_are_not_compiled_ones() -> None:
    """Only a mode that makes a program of the call is one."""
    made = run([check("hard-labels/x", A), check("hard-labels/x", "stub/a/vmap/cpu")])
    assert {name: row.status for name, row in named(chosen("compile", made)).items()} == {A: NOT_MEASURED}


@pytest.mark.parametrize(("compiled", "status"), [(True, MET), (False, NOT_MEASURED), (None, NOT_MEASURED)])
def test_whether_a_mode_compiles_is_what_its_runtime_declared(compiled: bool | None, status: str) -> None:
    """The mode of a plugin has any name; a record that does not say so knows those that there were."""
    name = "stub/a/ahead/cpu"
    line = ImplementationLine(id=name, family="stub/a", form="probabilities", compiled=compiled)
    checks = [check("hard-labels/x", name), check("hard-labels/x", name, quantity="agreement", ulp=None)]
    made = run(checks, implementations=(line,))
    assert named(chosen("compile", made))[name].status == status


@given(st.sets(st.sampled_from(sorted(set(needs.BY_NAME) - set(ALL_DTYPES))), min_size=2, max_size=4))
@deterministic
def test_more_needs_never_admit_what_fewer_excluded(words: set[str]) -> None:
    """With the dtypes fixed, every subset of the needs is met where all of them are."""
    made = sample()
    whole = {row.implementation for row in chosen(",".join(sorted(words)), made).of(MET)}
    for left_out in words:
        rest = sorted(words - {left_out})
        if (left_out == "compile") == ("compile" in rest):
            assert whole <= {row.implementation for row in chosen(",".join(rest), made).of(MET)}


def sample() -> RunRecord:
    """A record with right and wrong checks of every family and quantity."""
    families = (*needs.MAIN, "out-of-range-labels", "special-values", "shapes", "reductions", "relations")
    verdicts = ("conforms", "conforms", "by-contract", "conforms", "rejects", "deviates", "conforms")
    made = []
    for number, name in enumerate((A, B, C)):
        for index, (family, quantity) in enumerate((f, q) for f in families for q in QUANTITIES):
            verdict = (
                verdicts[(index + number) % len(verdicts)] if (index + number) % (5 + 20 * number) == 0 else "conforms"
            )
            made.append(check(f"{family}/x", name, verdict, quantity=quantity))
    return run(made)


# -- words -----------------------------------------------------------------------------------------------------------


def test_every_need_states_what_it_means_and_asks_for_quantities_that_exist() -> None:
    """Names are unique, meanings are there, and no quantity or verdict is invented."""
    assert len(needs.BY_NAME) == len(needs.VOCABULARY)
    for need in needs.VOCABULARY:
        assert re.fullmatch(r"[a-z0-9_-]+(=[a-z]+)?", need.name)
        assert need.meaning
        assert set(need.quantities) <= set(QUANTITIES)


def test_the_page_on_choosing_names_every_need() -> None:
    """The table of docs/choosing.md is the vocabulary."""
    page = (ROOT / "docs" / "choosing.md").read_text(encoding="utf-8").partition("## Needs")[2]
    rows = [line for line in page.splitlines() if line.startswith("|")][2:5]
    assert re.findall(r"`([^`]+)`", "".join(rows)) == list(needs.BY_NAME)


def test_needs_are_read_from_lists_and_repeated_options() -> None:
    """Commas and several options mean the same, and a word that is said twice counts once."""
    both = needs.parse(["soft-labels, float16", "soft-labels"])
    assert [need.name for need in both.needs] == ["soft-labels", "float16"]
    assert both == needs.parse(["soft-labels", "float16"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("soft-label", "did you mean soft-labels"),
        ("out-of-range", "write out-of-range=reject or out-of-range=accept or out-of-range=value"),
        ("out-of-range=ignore", "write out-of-range=reject or"),
        ("", "must name what is needed"),
        (",", "must name what is needed"),
    ],
)
def test_an_unknown_need_is_bad_input_with_a_next_step(words: str, message: str) -> None:
    """The message names the word and the nearest needs."""
    with pytest.raises(InputError) as caught:
        needs.parse([words])
    assert message in str(caught.value)


# -- mixed precision -------------------------------------------------------------------------------------------------

#: By entry point, or backend, how a loss of bfloat16 predictions is called under mixed precision on a CPU: what prints
#: the dtype of its result.
MIXED = {
    "torch/nn.BCELoss": """
import torch
with torch.autocast("cpu", dtype=torch.bfloat16):
    half = torch.full((2,), 0.5, dtype=torch.bfloat16)
    print(torch.nn.BCELoss(reduction="none")(half, half).dtype)
""",
    "torch/nn.BCEWithLogitsLoss": """
import torch
with torch.autocast("cpu", dtype=torch.bfloat16):
    half = torch.full((2,), 0.5, dtype=torch.bfloat16)
    print(torch.nn.BCEWithLogitsLoss(reduction="none")(half, half).dtype)
""",
    "keras-jax": """
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras
keras.mixed_precision.set_global_policy("mixed_bfloat16")
half = keras.ops.full((2, 1), 0.5, dtype="bfloat16")
print(keras.losses.BinaryCrossentropy(from_logits=True, reduction="none")(half, half).dtype)
""",
    "tf-keras": """
import tensorflow, tf_keras
tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
half = tensorflow.fill((2, 1), tensorflow.cast(0.5, "bfloat16"))
print(tf_keras.losses.BinaryCrossentropy(from_logits=True, reduction="none")(half, half).dtype.name)
""",
    "tensorflow": """
import tensorflow
half = tensorflow.fill((2,), tensorflow.cast(0.5, "bfloat16"))
print(tensorflow.nn.sigmoid_cross_entropy_with_logits(labels=half, logits=half).dtype.name)
""",
    "jax": """
import jax.numpy, optax
half = jax.numpy.full((2,), 0.5, "bfloat16")
print(optax.sigmoid_binary_cross_entropy(half, half).dtype)
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("family", MIXED)
def test_what_autocast_computes_in_is_what_a_run_gives(family: str) -> None:
    """The dtype of the result on a CPU, in a process of its own; a framework that is not installed is not asked."""
    for name in re.findall(r"^import ([a-z_, .]+)$", MIXED[family], re.MULTILINE):
        for module in name.split(", "):
            if importlib.util.find_spec(module.partition(".")[0]) is None:
                pytest.skip(f"{module} is not installed")
    done = subprocess.run([sys.executable, "-c", MIXED[family]], capture_output=True, text=True, check=True)
    told = needs.autocast_of(family)
    assert told is not None
    assert done.stdout.split()[-1].removeprefix("torch.") == told.seen
    assert told.seen == (told.computes or "bfloat16")


def test_every_text_on_autocast_belongs_to_a_run() -> None:
    """Each is of entry points of which one was called so."""
    called = {needs.autocast_of(family) for family in MIXED}
    assert called == set(needs.autocasts().values())


def test_under_mixed_precision_a_loss_is_judged_in_the_dtype_that_it_computes_in() -> None:
    """BCEWithLogitsLoss in float32, Optax in the bfloat16 that it is given, or in the 16 bits that are stated."""
    torch, optax = "torch/nn.BCEWithLogitsLoss/eager/cpu", "jax/optax.sigmoid_binary_cross_entropy/eager/cpu"
    made = run([check("soft-labels/x", name, dtype=dtype) for name in (torch, optax) for dtype in ALL_DTYPES])
    for words, dtype in (("amp,soft-labels", "bfloat16"), ("amp,soft-labels,float16", "float16")):
        rows = named(chosen(words, made))
        assert {name: row.dtypes for name, row in rows.items()} == {torch: ("float32",), optax: (dtype,)}


def test_a_run_under_mixed_precision_goes_before_what_is_documented() -> None:
    """A call of a run under autocast is judged in the dtype that it was given; other needs look at plain calls."""
    plain, mixed = (f"torch/nn.BCEWithLogitsLoss/{mode}/cpu" for mode in ("eager", "autocast"))
    lines = [check("soft-labels/x", name, dtype=dtype) for name in (plain, mixed) for dtype in ALL_DTYPES]
    for words, name, dtypes in (("amp", mixed, ("bfloat16",)), ("soft-labels", plain, ("float32",))):
        (row,) = chosen(words, run(lines)).rows
        assert (row.implementation, row.dtypes) == (name, dtypes)


# -- the order -------------------------------------------------------------------------------------------------------


def test_those_that_meet_all_needs_are_ordered_by_their_worst_error() -> None:
    """The smaller the worst error, the better the rank; equal errors share one, and the next rank counts them."""
    names = [f"stub/{letter}/eager/cpu" for letter in "pqrs"]
    errors = dict(zip(names, (2.0, 0.5, 2.0, 3.0), strict=True))
    made = run(
        [check("hard-labels/x", name, ulp=0.25) for name in names]
        + [check("hard-labels/y", name, ulp=error) for name, error in errors.items()]
    )
    rows = chosen("hard-labels", made).rows
    assert [(row.implementation, row.rank) for row in rows] == [
        (names[1], 1), (names[0], 2), (names[2], 2), (names[3], 4),
    ]  # fmt: skip


def test_harm_comes_before_error_and_error_before_speed() -> None:
    """What drifts by a little is worse than a large error of the last digits; of equals the faster one comes first."""
    names = [f"stub/{letter}/eager/cpu" for letter in "pqrs"]
    finding = FindingLine(element="e0", verdict="deviates", outcome="recorded", what="", cause="")
    lost = msgspec.structs.replace(
        check("hard-labels/x", names[0], "deviates", 3e4), bits=("3f800000",), findings=(finding,)
    )
    made = run(
        [lost, *(check("hard-labels/x", name, ulp=1.0 if name == names[1] else 0.5) for name in names[1:])],
        speeds=[a_speed(names[2], 2e-3), a_speed(names[3], 1e-3)],
    )
    rows = chosen("hard-labels", made).rows
    assert [row.implementation for row in rows] == [names[3], names[2], names[1], names[0]]


def a_speed(name: str, seconds: float, dtype: str = "float32") -> SpeedLine:
    """A million elements, with their gradient."""
    return SpeedLine(
        implementation=name, dtype=dtype, direction="backward", elements=10**6, seconds=seconds, repeats=5, memory=None
    )


def test_speed_is_that_of_the_dtype_that_was_asked_for() -> None:
    """That of float32 is no answer to a question about bfloat16, and the page says how to have it."""
    made = run([check("hard-labels/x", A, dtype=dtype) for dtype in ("float32", "bfloat16")], speeds=[a_speed(A, 1e-3)])
    for words, speeds in (("float32", 1), ("bfloat16", 0)):
        choice = chosen(words, made)
        assert [len(row.speeds) for row in choice.rows] == [speeds]
        (grid, *_), limits = choices.page(choice).grids, choices.page(choice).limits
        assert ("million/s" in grid.columns) == bool(speeds)
        assert ("speed in bfloat16 (`run --speed --dtype bfloat16`)" in limits) == (not speeds)


def test_a_wrong_result_that_no_ulp_measures_is_infinitely_wrong() -> None:
    """An exception or an infinity in place of a number is not without error; a due rejection and NaN for NaN are."""
    made = run(
        [
            check("hard-labels/x", A, "deviates", None),
            check("special-values/x", B, "rejects", None),
            check("special-values/x", C, "conforms", None),
        ]
    )
    rows = named(chosen("hard-labels,special-values", made))
    assert {name: row.error for name, row in rows.items()} == {A: math.inf, B: 0.0, C: 0.0}


def test_rows_without_a_rank_follow_those_with_one() -> None:
    """What was measured by its harm, then what was not, whatever the errors are."""
    made = run(
        [
            check("soft-labels/x", A, "deviates", 5.0), check("soft-labels/x", B, ulp=3.0),
            check("hard-labels/x", C, ulp=0.1),
        ]
    )  # fmt: skip
    assert [(row.implementation, row.rank) for row in chosen("soft-labels", made).rows] == [
        (B, 1),
        (A, 2),
        (C, None),
    ]


def test_needs_without_numbers_are_ordered_by_the_values_of_the_main_families() -> None:
    """Rejections have no error: then the values count."""
    rejects = [check("out-of-range-labels/x", name, "rejects", None, "acceptance") for name in (A, B)]
    made = run([*rejects, check("hard-labels/x", A, ulp=2.0), check("hard-labels/x", B, ulp=1.0)])
    rows = chosen("out-of-range=reject", made).rows
    assert [(row.implementation, row.error) for row in rows] == [(B, 1.0), (A, 2.0)]


def test_needs_about_everything_add_no_errors_to_the_order() -> None:
    """A wrong value that is no crash says nothing about a need that is met."""
    made = run([check("hard-labels/x", A), check("shapes/x", A, "deviates", 9.0)])
    assert named(chosen("hard-labels,no-crash", made))[A].error == 0.5


# -- several runs ----------------------------------------------------------------------------------------------------


def test_runs_are_never_mixed_in_a_row() -> None:
    """One implementation in two runs has two rows, each with the evidence of its own run, which it names."""
    old, new = run([check("hard-labels/x", A, "deviates", 9.0)]), run([check("hard-labels/x", A)])
    choice = chosen("hard-labels", old, new)
    assert [(row.source.name, row.status, row.answers[0].grade.elements) for row in choice.rows] == [
        ("r1", MET, 1), ("r0", NOT_MET, 1),
    ]  # fmt: skip
    (grid, *_) = choices.page(choice).grids
    assert [row[1] for row in grid.rows] == ["stub a (r1)", "stub a (r0)"]


def test_a_run_of_modes_completes_a_run_of_plain_calls() -> None:
    """Where another run has a compiled mode of an entry, the plain call of the first does not stand beside it."""
    plain = run([check("hard-labels/x", A), check("hard-labels/x", B)])
    modes = run([check("hard-labels/x", "stub/a/jit/cpu")])
    choice = chosen("compile", plain, modes)
    assert [(row.implementation, row.source.name, row.status) for row in choice.rows] == [
        ("stub/a/jit/cpu", "r1", MET), (B, "r0", NOT_MEASURED),
    ]  # fmt: skip
    assert choices.answer_text(choice.rows[1].answers[0]) == "-"
    assert choices.page(choice).said[1] == "compile: not measured"


# -- the two that were promised, on the run that ships ---------------------------------------------------------------


@pytest.fixture(scope="module")
def pinned_run() -> RunRecord:
    """The run of the pinned environment."""
    return record.read(pinned.shipped_run())


def test_rejecting_puts_the_probability_form_of_torch_above_all_that_accept(pinned_run: RunRecord) -> None:
    """`out-of-range=reject`: hardly any loss of logits looks at its labels, and those that do not come after it."""
    rows = chosen("out-of-range=reject", pinned_run, everything=True).rows
    places = {row.implementation: index for index, row in enumerate(rows)}
    torch = rows[places["torch/nn.functional.binary_cross_entropy/eager/cpu"]]
    assert torch.status == MET
    logits = [row for row in rows if row.form == "logits" and row.status != MET]
    assert len(logits) > 20
    assert all(places[row.implementation] > places[torch.implementation] for row in logits)


@pytest.mark.parametrize(
    "words", ["float16", "float16,soft-labels", "soft-labels,out-of-range=accept,float16,gradients"]
)
def test_float16_excludes_the_probability_form_of_keras_ops(pinned_run: RunRecord, words: str) -> None:
    """Its clip rounds to 1 in float16, on TensorFlow and on JAX, whatever else is needed."""
    rows = named(chosen(words, pinned_run, everything=True))
    for backend in ("keras-tensorflow", "keras-jax"):
        row = rows[f"{backend}/ops.binary_crossentropy/eager/cpu"]
        (answer,) = [one for one in row.answers if one.need.name == "float16"]
        assert (answer.status, row.status) == (NOT_MET, NOT_MET)
        assert answer.wrong[0].check.dtype == "float16"


def test_the_shipped_run_is_of_the_pinned_versions(pinned_run: RunRecord) -> None:
    """Every backend is there, with the versions of constraints.txt; the run is whole and as expected."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    wanted = {
        name.lower().replace("-", "_"): version
        for name, version in re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE)
    }
    wanted["sklearn"] = wanted["scikit_learn"]
    assert len(pinned_run.header.backends) == 13
    for line in pinned_run.header.backends:
        assert line.versions, line
        for name, version in line.versions.items():
            assert re.split("[+-]", version)[0] == wanted[name], name
    assert pinned_run.footer is not None
    assert (pinned_run.footer.exit, pinned_run.footer.not_run) == (0, 0)
    assert pinned_run.tallies


def test_every_need_but_compile_has_evidence_in_the_shipped_run(pinned_run: RunRecord) -> None:
    """The vocabulary holds no need that the checks cannot back."""
    choice = chosen(",".join(needs.BY_NAME), pinned_run)
    without = [need.name for index, need in enumerate(choice.stated.needs) if not choice.cases(index)]
    assert without == ["compile"]
