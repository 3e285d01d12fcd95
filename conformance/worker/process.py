"""The process of a worker: facts that can change bits, and its memory.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
from typing import Dict, Union

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
