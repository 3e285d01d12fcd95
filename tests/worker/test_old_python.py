"""What runs inside a worker runs under Python 3.7 with NumPy 1.16, where old frameworks live."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from conformance import adapters
from conformance.judge.judge import Judge
from conformance.plan.plan import make_plan
from conformance.pool.backend import Opened
from conformance.pool.observation import Observed
from conformance.pool.pool import Pool
from conformance.versions.build import uv
from tests.builders import case, suite

ROOT = Path(__file__).parents[2]

#: Folders of which everything runs in workers, and modules beside them that do.
FOLDERS = ("reference", "conformance/numbers", "conformance/adapters", "conformance/worker")
MODULES = ("conformance/__init__.py", "conformance/contracts.py", "conformance/quantities.py", "conformance/version.py")

WORKER_SIDE = sorted(
    [*(ROOT / name for name in MODULES), *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))]
)

#: Modules of the suite that a worker may import.
OWN = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in WORKER_SIDE}

#: Names in the standard library of Python 3.7 that worker-side code uses.
STANDARD = {
    "__future__", "ast", "collections.abc", "contextlib", "ctypes", "dataclasses", "fractions", "functools", "gc",
    "hashlib", "importlib", "json", "math", "os", "platform", "re", "struct", "sys", "tempfile", "time", "types",
    "typing", "warnings",
}  # fmt: skip

worker_side = pytest.mark.parametrize("file", WORKER_SIDE, ids=lambda file: str(file.relative_to(ROOT)))


def imports(tree: ast.Module) -> set[str]:
    """Modules imported when a module is imported, apart from what only a type checker sees."""
    found: set[str] = set()
    nodes: list[ast.stmt] = list(tree.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            module = node.module or ""
            members = {f"{module}.{alias.name}" for alias in node.names}
            found |= (members & OWN) or {module}
        elif isinstance(node, ast.If | ast.Try | ast.With):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                nodes += node.orelse
                continue
            nodes += node.body + getattr(node, "orelse", []) + getattr(node, "finalbody", [])
            for handler in getattr(node, "handlers", []):
                nodes += handler.body
    return found


@pytest.fixture(scope="module")
def old_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter of Python 3.7 with NumPy 1.16, in an environment that uv makes; skips where none can be had."""
    folder = tmp_path_factory.mktemp("old")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = str(folder / "bin" / "python")
    told = []
    for python in (os.environ.get("BCE_PYTHON37", ""), *map(str, pyenv.glob("3.7.*/bin/python")), "3.7"):
        for words in (("venv", "--clear", "--python", python), ("pip", "install", "--python", found, "numpy==1.16.*")):
            command = [uv(), *words, *([str(folder)] if words[0] == "venv" else [])]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                told.append(done.stderr.strip())
                break
        else:
            return found
    pytest.skip(f"needs Python 3.7 with NumPy 1.16, which uv could not make: {told}")


def test_the_lists_of_this_module_are_not_empty() -> None:
    """The static tests below look at something."""
    assert {"conformance.worker.session", "conformance.adapters.numpy", "reference", "reference.bce"} <= OWN


@worker_side
def test_worker_side_code_is_python_3_7(file: Path) -> None:
    """No syntax is newer than Python 3.7: no walrus, match, positional-only parameter or f-string `=`."""
    ast.parse(file.read_text(encoding="utf-8"), str(file), feature_version=(3, 7))


@worker_side
def test_worker_side_code_does_not_evaluate_new_annotations(file: Path) -> None:
    """`X | None` and `dict[str, int]` in annotations are text, because every module postpones them."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    annotated = any(isinstance(node, ast.AnnAssign | ast.arg) for node in ast.walk(tree))
    postponed = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    assert postponed or not annotated


@worker_side
def test_worker_side_code_imports_the_standard_library_and_numpy_only(file: Path) -> None:
    """Importing a worker-side module imports NumPy, the standard library and worker-side modules, no framework."""
    found = imports(ast.parse(file.read_text(encoding="utf-8")))
    assert found <= OWN | STANDARD | {"numpy"} | {f"importlib.{name}" for name in ("machinery", "util")}


def test_the_standard_library_has_those_names() -> None:
    """The list above is of the standard library."""
    assert set(sys.stdlib_module_names) >= {name.partition(".")[0] for name in STANDARD}


def test_an_import_of_something_else_would_be_found() -> None:
    """The reader of imports sees through if, try and with, and skips what a type checker alone sees."""
    source = "if x:\n  try:\n    import torch\n  except E:\n    from a.b import c\nif TYPE_CHECKING:\n  import d\n"
    assert imports(ast.parse(source)) == {"torch", "a.b"}
    with pytest.raises(SyntaxError):
        ast.parse("if (x := 1): pass", feature_version=(3, 7))


IMPORT = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
failed = []
for name in sys.argv[2:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed.append("%s: %r" % (name, error))
print("\\n".join(failed))
"""


@pytest.mark.slow
def test_everything_that_runs_in_a_worker_can_be_imported_by_python_3_7(old_python: str) -> None:
    """What parses may still ask the standard library or NumPy for what came later."""
    names = sorted(name for name in OWN if name != "conformance.worker.start")
    command = [old_python, "-W", "error", "-c", IMPORT, str(ROOT), *names]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("", "", 0)


@pytest.mark.slow
def test_a_session_runs_under_python_3_7(old_python: str) -> None:
    """The NumPy adapter in Python 3.7 gives the verdicts that it gives here."""
    here, there = verdicts(sys.executable), verdicts(old_python, "3.7.")
    assert len(there) > 50
    assert there == here


@pytest.mark.slow
def test_a_sweep_runs_under_python_3_7(old_python: str, tmp_path: Path) -> None:
    """What judges a sweep beside the framework must load where the framework is old."""
    covered = []
    for name, interpreter in (("here", sys.executable), ("there", old_python)):
        command = [sys.executable, "-m", "conformance", "sweep", "--python", f"numpy={interpreter}"]
        command += ["--implementation", "numpy/stable_textbook", "--dtype", "float16", "--label", "0"]
        command += ["--output", str(tmp_path / name)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        (certificate,) = (tmp_path / name).glob("*.json")
        covered.append(json.loads(certificate.read_text())["covered"])
    assert covered[0] == covered[1]


def verdicts(interpreter: str, version: str = "") -> list[tuple[str, str]]:
    """Check ids and verdicts of the NumPy adapter in an interpreter, whose version is as told."""
    made = suite(
        case(("0.5", "1"), ("0.25", "0"), ("0", "1"), ("nan", "1"), name="small/probabilities"),
        case(("3", "1"), ("-100", "0"), ("inf", "0"), name="small/logits", form="logits"),
    )
    opened: dict[str, Opened] = {}
    with tempfile.TemporaryFile() as log:
        pool = Pool(log=log, timeout=30.0, interpreters={"numpy": interpreter})
        try:
            backends = [backend for backend in pool.discover() if backend.name == "numpy"]
            plan = make_plan(made, [one for backend in backends for one in backend.implementations])
            requests = [one for one in plan.requests if one.dtype != "bfloat16"]
            observed: list[dict[str, Observed] | None] = [None] * len(requests)
            pool.run(
                backends, requests, lambda backend, what: opened.update({backend.name: what}), observed.__setitem__
            )
        finally:
            pool.stop()
    assert opened["numpy"].absent is None
    assert opened["numpy"].environment["python"].startswith(version)
    assert pool.restarts == []
    return [(check.id, check.verdict) for check in Judge(requests).judge(observed)]


def test_every_built_in_adapter_module_is_looked_at() -> None:
    """A new built-in module is covered by the static tests without being listed here."""
    assert {f"conformance.adapters.{name}" for name in adapters.BUILTIN} <= OWN
