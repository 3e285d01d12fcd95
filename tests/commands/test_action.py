"""What other repositories use: the GitHub action, its example workflow, and the pre-commit hook, each as it is run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from conformance.record import record

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
EXAMPLE = yaml.safe_load((ROOT / "docs" / "examples" / "framework-ci.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))

STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SCRIPTS = [step for step in STEPS if "run" in step]
FIND, INSTALL, JUDGE = SCRIPTS


def test_the_action_has_what_github_requires() -> None:
    """Name, description, the keys of a composite action, and a shell for every script."""
    assert {"name", "description", "inputs", "outputs", "runs"} == set(ACTION)
    assert ACTION["runs"]["using"] == "composite"
    assert all(step["shell"] == "bash" for step in SCRIPTS)
    assert all(
        {"description"} <= set(one) <= {"description", "required", "default"} for one in ACTION["inputs"].values()
    )
    assert [name for name, one in ACTION["inputs"].items() if one.get("required")] == ["backend"]


def test_no_expression_is_a_part_of_a_script() -> None:
    """What a pull request or a caller says reaches a script as a variable, never as text that bash reads."""
    assert all("${{" not in step["run"] for step in SCRIPTS)
    assert all("eval" not in step["run"] for step in SCRIPTS)


def test_every_input_is_used_and_every_used_one_is_declared() -> None:
    """A misspelled input would silently be empty."""
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.([a-z-]+)", text)) == set(ACTION["inputs"])


def test_every_variable_of_a_script_is_set_by_its_step() -> None:
    """Or is one that the runner sets, or the script itself."""
    for step in SCRIPTS:
        used = set(re.findall(r"\$\{?([A-Z_]+)", step["run"]))
        given = set(step.get("env", {}))
        assert used <= {*given, "RUNNER_TEMP", "GITHUB_OUTPUT"}
        assert given <= used


def test_the_example_calls_the_action_with_inputs_that_it_has() -> None:
    """And with all that are required; the workflow may read and nothing else."""
    uses = [
        step["with"]
        for job in EXAMPLE["jobs"].values()
        for step in job["steps"]
        if step.get("uses", "").startswith("OWNER/bce-conformance@")
    ]
    assert len(uses) == len(EXAMPLE["jobs"]) == 2
    assert all({"backend"} <= set(one) <= set(ACTION["inputs"]) for one in uses)
    assert EXAMPLE["permissions"] == {"contents": "read"}
    assert all("run" not in step for job in EXAMPLE["jobs"].values() for step in job["steps"])


def test_the_example_keeps_the_folder_that_the_action_writes() -> None:
    """The upload happens also where the run failed, and of the folder that is the default."""
    uploads = [
        step for job in EXAMPLE["jobs"].values() for step in job["steps"] if "upload-artifact" in step.get("uses", "")
    ]
    assert len(uploads) == 2
    assert all(step["with"]["path"].strip("/") == ACTION["inputs"]["output"]["default"] for step in uploads)
    assert all(step["if"] == "always()" for step in uploads)


def bash(step: dict[str, Any], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script of a step in `folder/workspace` as the runner does: `bash -e`, inputs in the environment.

    Packages come from this interpreter's folder and pip asks no index, so that nothing needs a network.  What a step
    puts out is in `folder/output`.
    """
    workspace, temporary = folder / "workspace", folder / "temporary"
    workspace.mkdir(exist_ok=True)
    temporary.mkdir(exist_ok=True)
    given = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's spelling of: do not isolate
        "RUNNER_TEMP": str(temporary),
        "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "GITHUB_OUTPUT": str(folder / "output"),
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=workspace,
        env=given | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def inputs(**given: str) -> dict[str, str]:
    """The environment of the step that judges, with the action's defaults for what is not given.

    What an earlier step put out is the interpreter of the job: this one.
    """
    values = {name: one.get("default", "") for name, one in ACTION["inputs"].items()} | given
    named = {variable: re.search(r"inputs\.([a-z-]+)", text) for variable, text in JUDGE["env"].items()}
    return {variable: values[found[1]] if found else sys.executable for variable, found in named.items()}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder of a job in which the suite is on hand without having been installed: its command runs this checkout."""
    command = tmp_path / "temporary" / "bce-conformance" / "bin" / "bce-conformance"
    command.parent.mkdir(parents=True)
    words = f"PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m conformance"
    command.write_text(f'#!/bin/sh\n{words} "$@"\n')
    command.chmod(0o755)
    return tmp_path


@pytest.mark.slow
def test_the_scripts_install_and_judge_without_any_framework(tmp_path: Path) -> None:
    """From the action's own folder, by pip, into an environment of its own; the outputs are where the action says."""
    done = bash(INSTALL, tmp_path, BCE_SUITE=str(ROOT), BCE_REQUIREMENTS="numpy\n# nothing else\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r"(?i)collecting (torch|tensorflow|jax|keras)", done.stdout)
    environment = tmp_path / "temporary" / "bce-conformance"
    assert list(environment.glob("lib/python*/site-packages/conformance/cli.py"))
    done = bash(
        JUDGE, tmp_path, **inputs(backend="numpy", filters="--case 'x'\n--case hard-labels/*  --dtype float32\n")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("bce-conformance: as expected\n")
    folder = tmp_path / "workspace" / ACTION["inputs"]["output"]["default"]
    kept = record.read(folder / "run.jsonl.gz")
    assert kept.header.filters["backend"] == ["numpy"]
    assert kept.header.filters["case"] == ["'x'", "hard-labels/*"], "words are neither unquoted nor expanded"
    assert len(ET.parse(folder / "junit.xml").findall("testsuite")) > 1
    assert (folder / "report.md").read_text().startswith("# bce-conformance")
    assert (tmp_path / "summary.md").read_text().startswith("## bce-conformance: as expected")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["backend", "filters", "baseline", "known", "output"])
def test_an_input_is_never_run(installed: Path, name: str) -> None:
    """Whatever an input holds is a word of the command, and at worst bad input."""
    harm = "\"; touch harm; $(touch harm) `touch harm` '; touch harm\n--quantity value; touch harm"
    done = bash(JUDGE, installed, **inputs(**{"backend": "numpy", "filters": "--case hard-labels/*", name: harm}))
    assert not list(installed.rglob("harm"))
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if name == "output" else 2), done.stderr
    assert name != "backend" or repr(harm) in done.stderr, "one word, as it was given"


#: An adapter whose framework is the module `only_there`.
FRAMEWORK = """
from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime


class Runtime(NumPyRuntime):
    def open(self):
        import only_there


def loss(prediction, label):
    import only_there

    return only_there.loss(prediction, label)


adapters = [Adapter("framework", [Implementation("loss", "probabilities", loss, dtypes=("float32",))], Runtime())]
"""

LOSS = """
import numpy as np


def loss(p, y):
    p, y = p.astype(np.float64), y.astype(np.float64)
    with np.errstate(all="ignore"):
        return -(y * np.log(p) + (1 - y) * np.log1p(-p)).astype(np.float32)
"""

FRAMEWORKS_RUN = {"backend": "framework", "filters": "--adapter framework.py --case hard-labels/* --no-sample"}


@pytest.fixture
def environment(installed: Path) -> Path:
    """The site-packages of a virtual environment in the workspace, as uv and poetry make one; it has no pip.

    NumPy is there, and a framework; nothing of the suite is.
    """
    workspace = installed / "workspace"
    workspace.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(workspace / ".venv")], check=True)
    (site,) = (workspace / ".venv").glob("lib/python*/site-packages")
    for package in Path(sysconfig.get_path("purelib")).glob("numpy*"):  # with the libraries beside it
        (site / package.name).symlink_to(package)
    (site / "only_there.py").write_text(LOSS)
    (workspace / "framework.py").write_text(FRAMEWORK)
    return site


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False], ids=["named", "on-path"])
def test_a_framework_in_a_virtual_environment_is_judged_there(environment: Path, named: bool) -> None:
    """Named by `python`, or activated: the suite's own environment, which cannot see it, lends it no package."""
    workspace = environment.parents[3]
    folder = workspace.parent
    path = f"{workspace / '.venv' / 'bin'}:{os.environ['PATH']}"
    assert bash(FIND, folder, PATH=path).returncode == 0
    found = (folder / "output").read_text()
    assert found == f"python={workspace / '.venv' / 'bin' / 'python'}\n"
    elsewhere = inputs(**FRAMEWORKS_RUN)
    assert bash(JUDGE, folder, **elsewhere).returncode == 2, "where it is absent that is bad input"
    given = {"BCE_PYTHON": ".venv/bin/python"} if named else {"BCE_JOB_PYTHON": found.strip().partition("=")[2]}
    done = bash(JUDGE, folder, **elsewhere | given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("bce-conformance: as expected\n")


@pytest.mark.slow
def test_requirements_go_where_the_framework_is(environment: Path) -> None:
    """By the suite's pip, as that environment has none; a project of the workspace is enough to see it."""
    workspace = environment.parents[3]
    (workspace / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "beside"\nversion = "1"\n[tool.setuptools]\npy-modules = ["beside"]\n'
    )
    (workspace / "beside.py").write_text("")
    given = {"BCE_SUITE": str(workspace), "BCE_PYTHON": ".venv/bin/python", "BCE_REQUIREMENTS": "."}
    done = bash(INSTALL, workspace.parent, **given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (environment / "beside.py").is_file()


@pytest.mark.slow
def test_a_baseline_is_made_used_and_renewed_as_the_page_says(environment: Path) -> None:
    """The record of a run that is as wanted becomes the baseline; a change fails the step until its record does."""
    workspace = environment.parents[3]
    page = (ROOT / "docs" / "continuous-integration.md").read_text(encoding="utf-8")
    (keep,) = re.findall(r"^cp bce-conformance/run.jsonl.gz .*$", page, re.MULTILINE)
    baseline = keep.split()[-1]
    (workspace / baseline).parent.mkdir()
    first = inputs(**FRAMEWORKS_RUN, python=".venv/bin/python")
    gate = inputs(**FRAMEWORKS_RUN, python=".venv/bin/python", baseline=baseline)

    def step(given: dict[str, str]) -> tuple[int, str, str]:
        summary = workspace.parent / "summary.md"
        summary.write_text("")
        done = bash(JUDGE, workspace.parent, **given)
        return done.returncode, done.stdout, summary.read_text()

    assert step(first)[0] == 0
    subprocess.run(shlex.split(keep), cwd=workspace, check=True)
    code, said, summary = step(gate)
    assert (code, summary.startswith("## bce-conformance: as the baseline: no regression")) == (0, True), said
    # A version of the framework that no longer computes wider than its inputs.
    (environment / "only_there.py").write_text(
        LOSS.replace("np.float64", "np.float32").replace("log1p(-p)", "log(1 - p)")
    )
    code, said, summary = step(gate)
    assert (code, summary.startswith("## bce-conformance: NOT as the baseline: REGRESSION")) == (1, True), said
    assert "::error title=newly deviating since the baseline%3A framework/loss/eager/cpu value" in said
    subprocess.run(shlex.split(keep), cwd=workspace, check=True)
    code, said, summary = step(gate)
    assert (code, summary.startswith("## bce-conformance: as the baseline: no regression")) == (0, True), said
    assert not re.search("^::error", said, re.MULTILINE)


@pytest.mark.slow
def test_a_record_of_ones_own_takes_the_place_of_the_shipped_ones(installed: Path) -> None:
    """Held against an empty record, what the suite knows is new: exit code 1, and an annotation for each cause."""
    (installed / "workspace").mkdir()
    (installed / "workspace" / "known").mkdir()
    words = "--case hard-labels/* --dtype float32 --quantity value"
    done = bash(JUDGE, installed, **inputs(backend="numpy", filters=words, known="known"))
    assert done.returncode == 1, done.stderr
    assert "::error title=new%3A numpy/" in done.stdout
    assert ET.parse(installed / "workspace" / inputs()["BCE_OUTPUT"] / "junit.xml").findall(".//failure")
    done = bash(JUDGE, installed, **inputs(backend="numpy", filters=words))
    assert done.returncode == 0, done.stdout


def hook(folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    """Run the entry of the hook on files, as pre-commit does."""
    (one,) = HOOKS
    name, *words = shlex.split(one["entry"])
    assert name == "bce-conformance"
    return subprocess.run(
        [sys.executable, "-m", "conformance", *words, *files],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


CASES = """\
family: small
title: a family for tests
cases:
  - id: small/one
    why: it exists for this test
    form: probabilities
    flags: [plain]
    elements:
      - {id: a, prediction: 0.5, label: 1}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a case file, its flags, and a problem of the suite."""
    (tmp_path / "cases" / "more").mkdir(parents=True)
    (tmp_path / "cases" / "flags.yaml").write_text("flags:\n  plain:\n    meaning: nothing special about it\n")
    (tmp_path / "cases" / "more" / "small.yaml").write_text(CASES)
    (tmp_path / "known").mkdir()
    shipped = min((ROOT / "known").glob("*.yaml"))
    (tmp_path / "known" / "a-problem.yaml").write_text(shipped.read_text())
    return tmp_path


FILES = ("cases/flags.yaml", "cases/more/small.yaml", "known/a-problem.yaml")


def test_the_hook_takes_the_files_that_it_is_for() -> None:
    """By path; other YAML of a repository is not its business."""
    (one,) = HOOKS
    assert {"id", "name", "entry", "language"} <= set(one)
    assert all(re.search(one["files"], file) for file in (*FILES, "tests/cases/a.yaml"))
    assert not any(re.search(one["files"], file) for file in ("action.yml", "docs/cases.yaml", "mycases/a.yaml"))


@pytest.mark.slow
def test_the_hook_passes_good_files(project: Path) -> None:
    """Case files with the flags of their folder, flags, and problems; no framework is asked."""
    done = hook(project, *FILES)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3 files, 0 with a mistake\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (FILES[1], "[plain]", "[plane]", "cases/more/small.yaml:7: flag 'plane' is not defined"),
        (FILES[1], "0.5", "half", "cases/more/small.yaml:9: small/one: a.prediction"),
        (FILES[1], "    form", "    from", "cases/more/small.yaml:6: "),
        (FILES[0], "meaning", "means", "cases/flags.yaml:"),
        (FILES[2], "kind: ", "kind: not-", "known/a-problem.yaml:"),
    ],
)
def test_the_hook_tells_file_and_line_of_a_mistake(project: Path, file: str, old: str, new: str, message: str) -> None:
    """The commit is stopped, and a right file beside the wrong one is not blamed."""
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new))
    done = hook(project, *reversed(FILES))
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith(message)
    assert "Traceback" not in done.stderr
    if file != FILES[0]:
        assert done.stdout == "3 files, 1 with a mistake\n"


@pytest.mark.slow
def test_every_mistaken_file_is_told(project: Path) -> None:
    """One run shows all files that need work, and a file that is none of all."""
    (project / FILES[1]).write_text("[]")
    (project / FILES[2]).write_text("selectors: 5")
    done = hook(project, *FILES, "nowhere.yaml")
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [FILES[1], FILES[2], "nowhere.yaml"]
