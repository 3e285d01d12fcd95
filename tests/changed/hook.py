"""How a change gets into a framework: right after its module was executed, before anybody else has seen what is in it.

`site/sitecustomize.py` puts a hook into every Python that has `environment` of a change.
"""

from __future__ import annotations

import functools
import importlib.machinery
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

from tests.changed.registry import Change

#: Variable that holds the name of a change; empty for a framework as it is.
CHANGE = "BCE_CHANGE"

#: Variable that holds the path of a file to which the name is added when the change was made.
MADE = "BCE_CHANGE_MADE"

HERE = Path(__file__).resolve().parent


def environment(change: Change | None, made: Path, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of a process in which `change` is made, or none."""
    paths = (str(HERE / "site"), str(HERE.parents[1]), *filter(None, [inherited.get("PYTHONPATH")]))
    return {"PYTHONPATH": os.pathsep.join(paths), CHANGE: change.name if change else "", MADE: str(made)}


class Hook(MetaPathFinder):
    """Finds the module of a change as Python does, and has the change made as soon as the module was executed.

    It must be the first of sys.meta_path.
    """

    def __init__(self, change: Change, made: Path) -> None:
        self.change = change
        self.made = made

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's own spec, with a loader that goes on to `make`."""
        if fullname != self.change.place.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = functools.partial(self.executed, spec.loader.exec_module)
        return spec

    def executed(self, execute: Callable[[ModuleType], None], module: ModuleType) -> None:
        """Execute a module and change it.  Raises AttributeError where it lacks the attribute."""
        execute(module)
        *owners, name = self.change.place.attribute.split(".")
        owner = functools.reduce(getattr, owners, module)
        setattr(owner, name, self.change.make(getattr(owner, name)))
        with self.made.open("a") as file:
            file.write(self.change.name)
