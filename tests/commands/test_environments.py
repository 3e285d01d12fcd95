"""Interpreters that hold little: a bare environment for a backend, and the core installation alone."""

from __future__ import annotations

import getpass
import importlib.util
import json
import os
import socket
import subprocess
import sys
import venv
from pathlib import Path

import pytest

#: Every backend that needs more than NumPy.
FRAMEWORKS = (
    "scipy", "torch", "tensorflow", "jax", "jax-x32", "keras-tensorflow", "keras-torch", "keras-jax",
    "keras-numpy", "keras-openvino", "tf-keras",
)  # fmt: skip

ROOT = Path(__file__).resolve().parents[2]

#: What the core installation brings (pyproject.toml), with what those packages need, by import name.
CORE = (
    *("numpy", "numpy.libs", "click", "rich", "markdown_it", "mdurl", "pygments", "ruamel", "msgspec", "packaging"),
    *("flint", "python_flint.libs", "yaml", "_yaml", "jinja2", "markupsafe"),
)


def environment(folder: Path, packages: tuple[str, ...]) -> Path:
    """A virtual environment with links to some installed packages and nothing else; its interpreter."""
    venv.create(folder, with_pip=False, symlinks=True)
    target = next(folder.glob("lib/python*/site-packages"))
    spec = importlib.util.find_spec("numpy")
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parent.parent
    for name in packages:
        for found in (site / name, site / f"{name}.py"):
            if found.exists():
                (target / found.name).symlink_to(found)
    return folder / "bin" / "python"


def run(python: Path | str, *words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """`bce-conformance` in an interpreter, with this checkout on its path."""
    surroundings = {key: value for key, value in os.environ.items() if not key.startswith(("VIRTUAL_ENV", "PYTHON"))}
    return subprocess.run(
        [str(python), "-m", "conformance", *words],
        cwd=cwd,
        env=surroundings | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core installation alone."""
    return environment(tmp_path_factory.mktemp("core") / "venv", CORE)


def test_a_backend_runs_in_an_interpreter_that_holds_numpy_alone(tmp_path: Path) -> None:
    """`--python BACKEND=INTERPRETER`: the worker needs the standard library, NumPy and its framework."""
    bare = environment(tmp_path / "bare", ("numpy", "numpy.libs"))
    output = tmp_path / "run.jsonl"
    words = ["--backend", "numpy", "--case", "hard-labels/*", "--only-known"]
    done = run(sys.executable, "run", *words, "--python", f"numpy={bare}", "--output", str(output))
    assert done.returncode in (0, 1), done.stderr
    header = json.loads(output.read_text().splitlines()[0])
    (backend,) = header["backends"]
    # The harness's own interpreter has ml_dtypes, the bare one has not: this tells which of the two answered.
    assert backend["environment"]["bfloat16"] == "absent"


def test_a_backend_asked_for_by_name_must_be_there(core: Path) -> None:
    """An absent backend is an error where it was named, and only there."""
    done = run(core, "run", "--backend", "torch", "--case", "hard-labels/*")
    assert done.returncode == 2
    assert "backend torch was asked for by name but is absent: ModuleNotFoundError" in done.stderr


def test_the_core_installation_alone_runs_the_numpy_backend(core: Path, tmp_path: Path) -> None:
    """Every framework is listed as absent with the reason, nothing of it passes, and NumPy is judged as recorded."""
    output = tmp_path / "run.jsonl"
    done = run(core, "run", "--case", "hard-labels/*", "--output", str(output))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    absent = {one["name"] for one in lines[0]["backends"] if one.get("absent")}
    assert absent == set(FRAMEWORKS)
    checked = {line["implementation"].split("/")[0] for line in lines if line["type"] == "check"}
    assert checked == {"numpy"}
    assert lines[-1]["not_run"] == lines[0]["planned"] - sum(line["type"] == "check" for line in lines)
    assert "absent torch: ModuleNotFoundError" in done.stdout


def test_no_record_log_or_output_names_the_machine_or_its_user(tmp_path: Path) -> None:
    """An adapter that says host, user, home and an environment variable in every way it can is not quoted with them."""
    secret = "only-for-this-test-8d1f"
    gossip = tmp_path / "gossip.py"
    gossip.write_text(
        "import os, socket, warnings, getpass\n"
        "from conformance.adapters import Adapter, Implementation\n"
        "def loss(prediction, label):\n"
        "    told = ' '.join([socket.gethostname(), getpass.getuser(), os.path.expanduser('~/x'), os.getcwd()])\n"
        "    print(told)\n"
        "    warnings.warn(told)\n"
        "    if (label == 1).any():\n"
        "        raise ValueError(told)\n"
        "    return label\n"
        "adapters = [Adapter('gossip', [Implementation('loss', 'probabilities', loss)], backend='numpy')]\n"
    )
    output = tmp_path / "run.jsonl"
    os.environ["BCE_TEST_SECRET"] = secret
    try:
        done = run(
            sys.executable,
            "run",
            "--adapter",
            "gossip.py",
            "--backend",
            "gossip",
            "--output",
            str(output),
            cwd=tmp_path,
        )
    finally:
        del os.environ["BCE_TEST_SECRET"]
    assert done.returncode == 1, done.stderr
    everything = done.stdout + output.read_text() + (tmp_path / ".bce-conformance" / "worker.log").read_text()
    assert "ValueError" in everything
    for private in (secret, os.path.expanduser("~") + "/", str(tmp_path), *_names()):
        assert private not in everything


def _names() -> list[str]:
    """Host and user, where they are words that cannot stand there by chance."""
    return [name for name in (socket.gethostname(), getpass.getuser()) if len(name) > 4 and name != "localhost"]
