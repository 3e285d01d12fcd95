"""`environments`, `--device`, `--mode` and `--quick`: one plan under other surroundings, and parts of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.cli import main
from conformance.errors import Exit
from conformance.plan.filters import Filters
from conformance.plan.plan import make_plan
from conformance.record import record
from tests.builders import CASES, FLAGS, case, implementation, suite

ROOT = Path(__file__).resolve().parents[2]

#: The suite of the builders, in two dtypes.
TWICE = CASES.replace("[float32]", "[float32, float64]")

#: A loss whose last bit, size or kind depends on DRIFT, on a device that DEVICES names.
ADAPTER = """
import os
import numpy as np
from conformance.adapters import PLAIN, Adapter, Implementation, Mode
from conformance.adapters.numpy import NumPyRuntime


class Runtime(NumPyRuntime):
    modes = dict(PLAIN, compiled=Mode())
    words = os.environ.get("WORDS", "").split(",")
    settings = () if words == ["none"] else tuple({"DRIFT": word} if word else {} for word in words)
    devices = ("cpu", "cuda", "tpu")

    def open(self):
        if os.environ.get("BCE_DEVICE") == "cuda":
            raise ImportError("there is no such device in this machine")
        if os.environ.get("DRIFT") == "fails":
            raise RuntimeError("not under this setting")

    def environment(self):
        return {"drift": os.environ.get("DRIFT", "none")}


def loss(prediction, label):
    p, y = prediction.astype(np.float64), label.astype(np.float64)
    exact = (-(y * np.log(p) + (1 - y) * np.log1p(-p))).astype(prediction.dtype)
    drift = os.environ.get("DRIFT")
    if drift == "last-bit":
        exact[:1] = np.nextafter(exact[:1], np.inf)
    if drift == "wrong":
        exact[:1] *= 2
    if drift == "raises":
        raise RuntimeError("not with this instruction set")
    if drift == "nan":
        exact[:] = np.nan
    return exact


adapters = [
    Adapter(
        "drifting",
        [
            Implementation("loss", "probabilities", loss, dtypes=("float32",)),
            Implementation("loss", "probabilities", loss, dtypes=("float32", "float64"), mode="compiled"),
        ],
        Runtime(),
    )
]
"""

Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs a command on a small suite with the drifting adapter; `words` are the values of DRIFT that it declares."""
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "flags.yaml").write_text(FLAGS)
    (tmp_path / "suite" / "small.yaml").write_text(TWICE)
    (tmp_path / "drifting.py").write_text(ADAPTER)

    def run(*arguments: str, words: str = "") -> Result:
        name, *rest = arguments
        return invoked(tmp_path, name, "--cases", "suite", "--adapter", "drifting.py", *rest, WORDS=words)

    return run


def invoked(folder: Path, *words: str, **variables: str) -> Result:
    """A command of the suite in a folder, in this process: to start one takes longer than most commands."""
    with contextlib.chdir(folder):
        return CliRunner().invoke(main, words, env=variables)


def axis(command: Command, words: str, *more: str) -> tuple[int, list[dict[str, object]]]:
    """Exit code and rows of `environments` for the drifting adapter in its eager mode."""
    chosen = ("--backend", "drifting", "--mode", "eager")
    done = command("environments", *chosen, "--format", "json", *more, words=words)
    assert "Traceback" not in done.stderr, done.stderr
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.slow
def test_a_last_bit_that_depends_on_the_environment_is_counted_and_passes(command: Command) -> None:
    """One of two results differs by 1 ULP, no verdict does, and the runtime says which switch changed."""
    code, (default, drifted) = axis(command, ",last-bit")
    assert code == Exit.AS_EXPECTED
    assert (default["setting"], default["bits"], default["verdicts"]) == ({}, 0, 0)
    assert (drifted["setting"], drifted["reports"]) == ({"DRIFT": "last-bit"}, {"drift": "last-bit"})
    assert (drifted["results"], drifted["bits"], drifted["share"]) == (2, 1, 0.5)
    assert (drifted["worst_ulp"], drifted["verdicts"], drifted["new"]) == (1.0, 0, [])


@pytest.mark.slow
@pytest.mark.parametrize(("word", "turned", "bits"), [("wrong", 0, 1), ("nan", 2, 2), ("raises", 2, 2)])
def test_a_verdict_that_turns_into_a_new_deviation_fails(command: Command, word: str, turned: int, bits: int) -> None:
    """The check is named, and results that become NaN or are missing are counted apart from differences in ULP."""
    code, (_, drifted) = axis(command, f",{word}", "--quantity", "value")
    assert code == Exit.NOT_AS_EXPECTED
    assert (drifted["verdicts"], drifted["turned"], drifted["bits"]) == (1, turned, bits)
    assert drifted["new"] == ["small/one::drifting/loss/eager/cpu::float32::value"]


@pytest.mark.slow
def test_a_deviation_that_the_default_setting_has_as_well_does_not_fail(command: Command) -> None:
    """Only what the environment changes is of interest here: `run` tells the rest."""
    code, (default, drifted) = axis(command, "wrong,wrong")
    assert code == Exit.AS_EXPECTED
    assert (default["new"], drifted["new"]) == ([], [])


@pytest.mark.slow
def test_a_setting_under_which_a_backend_does_not_open_is_no_pass(command: Command) -> None:
    """The row says why, has no checks, and the exit code is that of a suite that could not do its work."""
    code, (_, broken) = axis(command, ",fails")
    assert code == Exit.HARNESS_FAILED
    assert broken["checks"] == 0
    assert "not under this setting" in str(broken["state"])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "markdown"])
def test_every_form_shows_each_setting(command: Command, form: str) -> None:
    """A line for the default and one for the setting, with the share."""
    done = command("environments", "--backend", "drifting", "--mode", "eager", "--format", form, words=",last-bit")
    lines = [line for line in done.stdout.splitlines() if "%" in line]
    assert ["default" in line for line in lines] == [True, False]
    assert "DRIFT=last-bit" in lines[1]
    assert "50.00 %" in lines[1]


@pytest.mark.slow
def test_a_backend_without_settings_is_bad_input(command: Command) -> None:
    """Nothing would be compared, so nothing passes."""
    done = command("environments", "--backend", "drifting", words="none")
    assert done.exit_code == Exit.BAD_INPUT
    assert "none of drifting declares settings of its environment" in done.stderr


@pytest.mark.slow
def test_implementations_of_an_absent_device_are_absent_and_never_passed(command: Command, tmp_path: Path) -> None:
    """Asked for by name that is bad input; beside a backend that has the device its checks are counted as absent.

    Without a GPU all frameworks are asked, each of which is imported for that; beside one that has the device, one.
    """
    done = command("run", "--device", "cuda", "--backend", "drifting")
    assert done.exit_code == Exit.BAD_INPUT
    assert "there is no such device in this machine" in done.stderr
    done = command("run", "--device", "cuda")
    assert (done.exit_code, done.stdout) == (Exit.BAD_INPUT, "")
    assert "nothing was run, since every backend is absent" in done.stderr
    done = command("run", "--device", "tpu", "--mode", "eager", "--backend", "[dn]*")  # a pattern asks for none by name
    assert done.exit_code == Exit.AS_EXPECTED, done.stderr
    kept = record.read(tmp_path / ".bce-conformance" / "last.jsonl")
    absent = {line.name: line.absent for line in kept.header.backends if line.absent}
    assert absent["numpy"] == "no device tpu for it"
    assert {check.implementation for check in kept.checks} == {"drifting/loss/eager/tpu"}
    assert kept.footer is not None
    assert kept.footer.absent == kept.footer.not_run == kept.header.planned - len(kept.checks) > 0


@pytest.mark.slow
def test_the_device_is_part_of_the_implementations_that_are_listed(command: Command) -> None:
    """Discovery sees the device, too."""
    done = command("list", "implementations", "--device", "mps", "--backend", "drifting", "--mode", "*")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [
        "drifting/loss/eager/mps",
        "drifting/loss/compiled/mps",
    ]


@pytest.mark.slow
def test_a_mode_is_chosen_by_glob(command: Command) -> None:
    """`--mode 'comp*'` leaves the compiled implementation alone."""
    done = command("list", "implementations", "--backend", "drifting", "--mode", "comp*")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["drifting/loss/compiled/cpu"]


@pytest.mark.slow
def test_a_quick_run_says_what_it_covers_and_that_it_proves_nothing(command: Command, tmp_path: Path) -> None:
    """Eager float32 alone here: 5 of the 15 checks; the kept record says so again."""
    done = command("run", "--quick", "--backend", "drifting", "--case", "small/*")
    assert done.exit_code == Exit.AS_EXPECTED, done.stderr
    kept = record.read(tmp_path / ".bce-conformance" / "last.jsonl")
    assert {check.implementation for check in kept.checks} == {"drifting/loss/eager/cpu"}
    assert {check.dtype for check in kept.checks} == {"float32"}
    whole = kept.header.planned + kept.header.skipped
    for text in (done.stdout, invoked(tmp_path, "show").stdout):
        assert "A quick run proves nothing: it only looks for what is obvious." in text
        assert f"{100 * kept.header.planned / whole:.1f} % of all {whole} planned checks" in " ".join(text.split())


def test_quick_narrows_only_what_is_left_open() -> None:
    """A dtype or mode that was asked for stays; the others become those of a quick run."""
    filters = Filters(dtype=("float64",)).quick()
    assert filters.dtype == ("float64",)
    assert filters.mode == ("eager",)
    assert Filters().quick().dtype == ("float32", "float16")


def test_quick_leaves_slow_and_large_cases_out() -> None:
    """By their flags; a flagged case is not planned at all."""
    plain, large = case(("0.5", "1"), name="small/plain"), case(("0.5", "1"), name="small/large")
    flagged = type(large)(**{name: getattr(large, name) for name in large.__struct_fields__} | {"flags": ("large",)})
    plan = make_plan(suite(plain, flagged), [implementation()], Filters(case=("small/*",)).quick())
    assert {request.case.id for request in plan.requests} == {"small/plain"}
