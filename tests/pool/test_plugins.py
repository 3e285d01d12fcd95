"""Backends from elsewhere and from here: plugins by entry point, and built-in ones of one file and one registration."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.adapters import BUILTIN, load_builtin
from conformance.errors import Exit
from tests.builders import FLAGS

ROOT = Path(__file__).resolve().parents[2]

CASES = """\
family: small
title: a family for tests
cases:
  - id: small/one
    why: it exists for this test
    form: probabilities
    flags: [plain]
    dtypes: [float32]
    quantities: [value]
    elements:
      - {id: a, prediction: 0.5, label: 1}
"""

MODULE = """
import numpy as np
from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime


class Runtime(NumPyRuntime):
    cost = 5


def loss(prediction, label):
    p, y = prediction.astype(np.float64), label.astype(np.float64)
    return (-(y * np.log(p) + (1 - y) * np.log1p(-p))).astype(prediction.dtype)


adapters = [Adapter("{name}", [Implementation("loss", "probabilities", loss, dtypes=("float32",))], Runtime())]
"""

Command = Callable[..., subprocess.CompletedProcess[str]]
Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Installs a distribution with one plugin into a folder: an entry point and the text of its module."""

    def add(name: str, module: str) -> None:
        site = tmp_path / "site"
        info = site / f"{name}_distribution-1.5.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-distribution\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[bce_conformance.adapters]\n{name} = {name}_package.losses\n")
        (site / f"{name}_package").mkdir()
        (site / f"{name}_package" / "__init__.py").write_text("")
        (site / f"{name}_package" / "losses.py").write_text(module)

    return add


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs a command on a small suite, with the folder of plugins on the path."""
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "flags.yaml").write_text(FLAGS)
    (tmp_path / "suite" / "small.yaml").write_text(CASES)

    def run(name: str, *words: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
        where, *rest = (name, "implementations") if name == "list" else (name,)
        return subprocess.run(
            [sys.executable, "-m", "conformance", where, *rest, "--cases", "suite", *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(tmp_path / "site")])},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.slow
def test_an_installed_plugin_is_listed_and_run_like_a_file(command: Command, install: Install) -> None:
    """No option names it: its distribution being installed is enough."""
    install("outside", MODULE.format(name="outside"))
    assert "outside/loss/eager/cpu\tprobabilities" in command("list", "--backend", "outside").stdout
    done = command("run", "--backend", "outside")
    assert (done.returncode, done.stderr) == (Exit.AS_EXPECTED, "")
    assert "1 implementation ·" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import a_framework_that_nobody_has\n", "No module named 'a_framework_that_nobody_has'"),
        ("adapters = 5\n", "must define `adapters`"),
        ("import os\nos._exit(7)\n", "status 7"),
        (MODULE.format(name="numpy"), "another adapter is called 'numpy'"),
        (MODULE.format(name="Not A Name"), "adapter name must be"),
    ],
)
def test_a_broken_plugin_is_refused_by_name_and_the_others_run(
    command: Command, install: Install, module: str, reason: str
) -> None:
    """One line names plugin, distribution and reason; a built-in backend is judged as if it were not there."""
    install("broken", module)
    install("outside", MODULE.format(name="outside"))
    done = command("run", "--backend", "numpy", "--backend", "outside", "--implementation", "outside/*")
    assert done.returncode == Exit.AS_EXPECTED, done.stderr
    assert done.stderr.startswith("warning: plugin broken of broken-distribution 1.5 refused: ")
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_broken_plugin_that_was_asked_for_is_bad_input(command: Command, install: Install) -> None:
    """By its name, exit code 2 and nothing run."""
    install("broken", "adapters = []\n")
    done = command("run", "--backend", "broken")
    assert (done.returncode, done.stdout) == (Exit.BAD_INPUT, "")
    assert "plugin broken of broken-distribution 1.5 refused" in done.stderr


@pytest.mark.slow
def test_two_plugins_of_one_name_do_not_stop_each_other(command: Command, install: Install) -> None:
    """The first in the order of their names serves, the other is refused."""
    install("former", MODULE.format(name="same"))
    install("latter", MODULE.format(name="same"))
    done = command("run", "--backend", "same")
    assert done.returncode == Exit.AS_EXPECTED
    assert "plugin latter of latter-distribution 1.5 refused: another adapter is called 'same'" in done.stderr


@pytest.mark.slow
def test_a_built_in_backend_is_one_file_and_one_registration(command: Command, tmp_path: Path) -> None:
    """A copy of the packages with a new module and its name in BUILTIN lists and runs the new backend."""
    copy = tmp_path / "copy"
    for package in ("conformance", "reference", "known", "results/recorded"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "constraints.txt").write_bytes((ROOT / "constraints.txt").read_bytes())
    (copy / "conformance" / "adapters" / "invented.py").write_text(MODULE.format(name="invented"))
    registry = copy / "conformance" / "adapters" / "__init__.py"
    text = registry.read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("BUILTIN = (")]
    registry.write_text(text.replace(line, line.removesuffix(")") + ', "invented")'))
    assert "invented/loss/eager/cpu" in command("list", root=copy).stdout
    done = command("run", "--backend", "invented", root=copy)
    assert done.returncode == Exit.AS_EXPECTED, done.stderr
    assert "1 implementation ·" in done.stdout


#: What a backend may be recognised by in code; NumPy is the suite's own library as well.
NAMES = {"torch", "tensorflow", "jax", "keras", "optax", "openvino", "scipy"}

#: The name, in case files, of the contract under which the numbers of the question were once printed.
HISTORICAL = "keras-clip"

#: What is known of frameworks besides how they are called: the formulas in their sources, the rules by which they
#: differentiate, the languages in which a formula is written for them.  Who evaluates which is decided without names.
KNOWLEDGE = (
    "adapters/",
    "checkup/frameworks.py",
    "formulas/catalogue/",
    "formulas/derivative.py",
    "formulas/library.py",
    "formulas/source.py",
    "diagnosis/regression.py",
    "diagnosis/remedy.py",
    "sweep/remedied.py",
)

CORE = sorted(
    file
    for file in (ROOT / "conformance").rglob("*.py")
    if not file.relative_to(ROOT / "conformance").as_posix().startswith(KNOWLEDGE)
)

ELSEWHERE = sorted([*CORE, *(ROOT / "reference").rglob("*.py")])


#: Words that are the name of a mode as well: needs of `choose`, a fault and an argument of `doctor`, a tag of HTML, and
#: a command of uv.
NO_MODE = {
    "checkup/__init__.py": {"autocast"},
    "checkup/losses.py": {"autocast"},
    "choose/needs.py": {"compile"},
    "render/report.py": {"script"},
    "versions/build.py": {"compile"},
}


def words(source: str) -> Iterator[str]:
    """Identifiers and string constants of Python code; docstrings and comments are prose."""
    yield from constants(source)
    for node in ast.walk(ast.parse(source)):
        for field in ("id", "attr", "name", "module", "arg"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                yield value


def constants(source: str) -> Iterator[str]:
    """String constants of Python code without docstrings."""
    tree = ast.parse(source)
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def modes(source: str) -> set[str]:
    """The execution modes that Python code names, each as a string of its own or as a part of an id."""
    known = {mode for module in BUILTIN for adapter in load_builtin(module) for mode in adapter.runtime.modes}
    return {part for constant in constants(source) for part in constant.split("/")} & known


def named(source: str) -> set[str]:
    """The backends that Python code names."""
    found = (re.split(r"[^a-z]+", word.lower()) for word in words(source) if word != HISTORICAL)
    return NAMES & {part for parts in found for part in parts}


def test_every_built_in_backend_is_among_the_names() -> None:
    """A new one belongs into the list of this test, or has a word in its name that is there."""
    assert [name for name in BUILTIN if not named(f"import {name}")] == ["numpy"]


@pytest.mark.parametrize("file", ELSEWHERE, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_no_other_module_names_a_backend(file: Path) -> None:
    """Cases, plan, workers, judge, reference and commands treat every backend alike."""
    assert named(file.read_text(encoding="utf-8")) == set()


def test_no_other_module_names_a_mode() -> None:
    """What a mode is like its runtime declares; the plain one has a name in `declaration`, like any other."""
    found = {file.relative_to(ROOT / "conformance").as_posix(): modes(file.read_text("utf-8")) for file in CORE}
    assert {file: seen for file, seen in found.items() if seen} == NO_MODE


@pytest.mark.parametrize("source", ["x = 'jit'", "name.endswith('/eager/cpu')", "f'{entry}/vmap/cpu'", "{'xla': 1}"])
def test_the_test_sees_a_mode_that_is_named(source: str) -> None:
    """Alone, in an id, in a part of an f-string, as a key."""
    assert modes(source)


@pytest.mark.parametrize(
    "source", ["import torch", "x = 'keras-jax'", "f(jax=1)", "name.startswith('Torch')", "def optax_loss(): pass"]
)
def test_the_test_sees_a_backend_that_is_named(source: str) -> None:
    """As a module, in a string, as an argument, in a name."""
    assert named(source)


def test_prose_may_name_a_source() -> None:
    """A docstring that cites where a formula stands is no special treatment."""
    assert named('"""As in TensorFlow."""\n# like torch\nx = 1\n') == set()
