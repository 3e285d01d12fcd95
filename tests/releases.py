"""A package index and a `uv` for tests: an HTML page in a folder, and a program that installs nothing.

What an environment would hold is told to its interpreter by variables: DEMO is the version of the package `demo`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conformance.versions import build
from conformance.versions.index import Settings
from tests.builders import CASES, FLAGS

#: Answers as `uv` does, for the requirements of `demo` and `numpy`; every call is added to the file calls.txt.
UV = r"""#!{python}
import json, os, re, stat, sys
from pathlib import Path

here = Path(__file__).parent
words = [word for word in sys.argv[1:] if word not in ("--no-config", "--no-cache")]
with (here / "calls.txt").open("a") as stream:
    stream.write(" ".join(words) + "\n")
broken = (here / "broken.txt").read_text().split() if (here / "broken.txt").is_file() else []
if words[:2] == ["pip", "compile"]:
    for line in sys.stdin.read().splitlines():
        name, version = re.match(r"(\w+)(?:==)?(\S*)", line).groups()
        if name == "demo" and version in broken:
            sys.exit("error: /home/someone/build failed at https://user:secret@index.example/demo: no compiler")
        print(name + "==" + (version or "1.0"))
elif words[0] == "venv":
    (Path(words[-1]) / "bin").mkdir(parents=True)
elif words[:2] == ["pip", "install"]:
    python = Path(words[words.index("--python") + 1])
    pins = dict(line.split("==") for line in sys.stdin.read().split())
    variables = " ".join(name.upper() + "=" + version for name, version in pins.items())
    python.write_text("#!/bin/sh\nexec env %s {python} \"$@\"\n" % variables)
    python.chmod(0o755)
    (python.parent / "pins.json").write_text(json.dumps(pins))
elif words[:2] == ["pip", "list"]:
    pins = json.loads((Path(words[words.index("--python") + 1]).parent / "pins.json").read_text())
    print(json.dumps([{{"name": name, "version": version}} for name, version in pins.items()]))
"""

#: An adapter whose loss is wrong from version 1.3 of `demo` to 1.6 and raises from 1.7 on.
ADAPTER = """
import os
import numpy as np
from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime


class Runtime(NumPyRuntime):
    settings = ({},)

    def open(self):
        if os.environ.get("DEMO") == "1.1":
            raise ImportError("demo 1.1 needs another libc")


def loss(prediction, label):
    minor = int(os.environ["DEMO"].split(".")[1])
    if minor >= 7:
        raise TypeError("no such argument in %s" % os.environ["DEMO"])
    p, y = prediction.astype(np.float64), label.astype(np.float64)
    return (-(y * np.log(p) + (1 - y) * np.log1p(-p)) * (2 if minor >= 3 else 1)).astype(prediction.dtype)


adapters = [Adapter("demo", [Implementation("loss", "probabilities", loss, dtypes=("float32",))], Runtime())]
"""

#: A script about `demo` as a person would write it: the bug shows from 1.4 on, and 1.5 cannot tell.
SCRIPT = """
import os, sys
minor = int(os.environ["DEMO"].split(".")[1])
print("demo 1.%d says %s" % (minor, "nan" if minor >= 4 else "0.5"))
sys.exit(125 if minor == 5 else int(minor >= 4))
"""


class World:
    """A folder with the index, `uv`, a small suite, an adapter and a script."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._uv = folder / "tools" / "uv"
        for name in ("tools", "suite", "simple/demo", "simple/numpy", "environments"):
            (folder / name).mkdir(parents=True)
        self._uv.write_text(UV.format(python=sys.executable))
        self._uv.chmod(0o755)
        (folder / "suite" / "flags.yaml").write_text(FLAGS)
        (folder / "suite" / "small.yaml").write_text(CASES)
        (folder / "demo.py").write_text(ADAPTER)
        (folder / "repro.py").write_text(SCRIPT)
        self.release("numpy", "1.0")
        settings = Settings(f"file://{folder / 'simple'}")
        monkeypatch.chdir(folder)
        monkeypatch.setattr(build, "uv", lambda: str(self._uv))
        monkeypatch.setattr("conformance.commands.versions.settings", lambda: settings)

    @property
    def calls(self) -> list[str]:
        """What `uv` was asked, one line a call."""
        file = self._uv.with_name("calls.txt")
        return file.read_text().splitlines() if file.is_file() else []

    def release(self, package: str, *versions: str, attributes: str = "") -> None:
        """Add releases to the index."""
        page = self.folder / "simple" / package / "index.html"
        with page.open("a") as stream:
            for version in versions:
                stream.write(f'<a href="../{package}-{version}-py3-none-any.whl#sha256=0" {attributes}>x</a>\n')

    def cannot_install(self, *versions: str) -> None:
        """These versions of `demo` fail from now on."""
        self._uv.with_name("broken.txt").write_text(" ".join(versions))
