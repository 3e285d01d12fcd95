"""What runs inside a worker runs under Python 3.7 with NumPy 1.16, where old frameworks live."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from conformance import adapters
from conformance.judge import Judge
from conformance.observation import Observed
from conformance.plan import make_plan
from conformance.pool import Opened, Pool
from tests.builders import case, suite

ROOT = Path(__file__).parent.parent

WORKER_SIDE = [
    *(
        ROOT / "conformance" / f"{name}.py"
        for name in ("__init__", "clipping", "formats", "contracts", "literals", "measurement", "protocol", "timing")
    ),
    ROOT / "conformance" / "worker.py",
    *(
        ROOT / "conformance" / "sweep" / f"{name}.py"
        for name in ("__init__", "judging", "kernel", "readings", "sampling", "space", "statistics")
    ),
    *sorted((ROOT / "conformance" / "adapters").glob("*.py")),
    *sorted((ROOT / "reference").glob("*.py")),
]

#: Modules of the suite that a worker may import.
OWN = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in WORKER_SIDE}

#: Names in the standard library of Python 3.7 that worker-side code uses.
STANDARD = {
    "__future__", "collections.abc", "contextlib", "ctypes", "dataclasses", "fractions", "functools", "gc", "hashlib",
    "importlib", "json", "math", "os", "platform", "re", "struct", "sys", "tempfile", "time", "types", "typing",
    "warnings",
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


def old_python() -> str:
    """An interpreter of Python 3.7 with NumPy, from BCE_PYTHON37 or PATH; skips where there is none."""
    for candidate in (os.environ.get("BCE_PYTHON37"), shutil.which("python3.7")):
        if candidate:
            question = "import sys, numpy; print('%d.%d' % sys.version_info[:2])"
            done = subprocess.run([candidate, "-c", question], capture_output=True, text=True, check=False)
            if done.returncode == 0 and done.stdout.strip() == "3.7":
                return candidate
    pytest.skip("needs Python 3.7 with NumPy: python3.7 on PATH, or its path in BCE_PYTHON37")


def test_the_lists_of_this_module_are_not_empty() -> None:
    """The static tests below look at something."""
    assert {"conformance.worker", "conformance.adapters.numpy", "reference", "reference.bce"} <= OWN


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


@pytest.mark.slow
def test_a_session_runs_under_python_3_7() -> None:
    """The NumPy adapter in Python 3.7 gives the verdicts that it gives here."""
    interpreter = old_python()
    here, there = verdicts(sys.executable), verdicts(interpreter, "3.7.")
    assert len(there) > 50
    assert there == here


def verdicts(interpreter: str, version: str = "") -> list[tuple[str, str]]:
    """Check ids and verdicts of the NumPy adapter in an interpreter, whose version is as told."""
    made = suite(
        case(("0.5", "1"), ("0.25", "0"), ("0", "1"), ("nan", "1"), name="small/probabilities"),
        case(("3", "1"), ("-100", "0"), ("inf", "0"), name="small/logits", form="logits"),
    )
    opened: dict[str, Opened] = {}
    with tempfile.TemporaryFile() as log:
        pool = Pool(log, 30.0, interpreters={"numpy": interpreter})
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
