"""The process of a worker: facts that can change bits, and its memory.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import contextlib
import ctypes
import decimal
import gc
import os
import platform
import random
import sys
import warnings
from typing import Any, Callable, Dict, List, Union

import numpy as np

from conformance.adapters import Standing
from conformance.numbers.soundness import flushes_to_zero


def version_of(package: str) -> str:
    """`__version__` of an imported module: metadata has no `tensorflow` where `tensorflow-cpu` is installed."""
    module = sys.modules.get(package)
    if module is None:
        try:
            module = __import__(package)
        except ImportError:
            return "absent"
    return str(getattr(module, "__version__", "unknown"))


def facts() -> Dict[str, Union[str, bool]]:
    """Facts of this process that can change bits."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "machine": platform.machine(),
        "system": platform.system(),
        "flush-to-zero": flushes_to_zero(),
    }


def resident() -> int:
    """Bytes of memory that this process holds; 0 where there is no /proc."""
    try:
        with open("/proc/self/statm", encoding="ascii") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def give_back() -> None:
    """Give freed memory back to the system, which glibc keeps (malloc_trim(3)); elsewhere nothing happens."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _numpy_generator() -> Any:
    state: Any = np.random.get_state()
    return state[1].tobytes(), state[2:], state[0]


def _set_numpy_generator(state: Any) -> None:
    np.random.set_state((state[2], np.frombuffer(state[0], dtype=np.uint32), *state[1]))


def _set_filters(filters: Any) -> None:
    warnings.filters[:] = filters  # type: ignore[index]


def _environment() -> Dict[Any, Any]:
    """The variables as bytes, which need no decoding, where a system has them so."""
    return dict(getattr(os, "environb", os.environ))


def _set_environment(variables: Dict[Any, Any]) -> None:
    standing = getattr(os, "environb", os.environ)
    for name in set(standing) - set(variables):
        del standing[name]
    standing.update(variables)


#: Settings that every process has, and that a loss must leave as they are.
STANDING: Dict[str, Standing] = {
    "NumPy's error state": (np.geterr, lambda before: np.seterr(**before)),
    "NumPy's random generator": (_numpy_generator, _set_numpy_generator),
    "Python's random generator": (random.getstate, random.setstate),
    "the warning filters": (lambda: list(warnings.filters), _set_filters),
    "the environment": (_environment, _set_environment),
    "the decimal context": (
        lambda: decimal.getcontext().prec,
        lambda before: setattr(decimal.getcontext(), "prec", before),
    ),
    "the working folder": (os.getcwd, os.chdir),
    "garbage collection": (gc.isenabled, lambda before: gc.enable() if before else gc.disable()),
    "the recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
    "the printing of arrays": (np.get_printoptions, lambda before: np.set_printoptions(**before)),
}


class Traces:
    """What calls leave behind in the process, which is put back: settings of Python, of NumPy and of a framework."""

    def __init__(self, more: Dict[str, Standing]) -> None:
        self.settings = dict(STANDING, **more)
        self.known = self._read()

    def _read(self) -> Dict[str, Any]:
        return {name: read() for name, (read, _) in self.settings.items()}

    def _put_back(self, after: Dict[str, Any]) -> List[str]:
        """Set what `after` differs in to what it was; the names of that."""
        changed = [name for name, value in self.known.items() if after[name] != value]
        for name in changed:
            self.settings[name][1](self.known[name])
        return changed

    def of(self, again: Callable[[], Any]) -> List[str]:
        """What the last call left behind, and leaves when it is made `again`.

        What a first call sets up, or what others do in this process between two calls, stays and is no trace.
        """
        after = self._read()
        changed = self._put_back(after)
        if not changed:
            return []
        again()
        left = self._put_back(self._read())
        for name in set(changed) - set(left):
            self.settings[name][1](after[name])
        self.known = self._read()
        return left
