"""How long a call takes and what memory it needs, measured in the worker.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import gc
import time
from typing import Callable, Dict, List, Optional

from conformance.worker.process import give_back

#: Function without arguments that returns when its result is there.
Once = Callable[[], object]

STATUS = "/proc/self/status"
CLEAR_REFS = "/proc/self/clear_refs"

#: Written to CLEAR_REFS it sets the peak of resident memory back to what is resident (proc(5), Linux 4.0).
RESET_PEAK = "5"


def durations(once: Once, calls: int, limit: float) -> List[float]:
    """Seconds of up to `calls` calls, of which none but the first starts after `limit` seconds.

    The garbage collector rests meanwhile, as in timeit.
    """
    found: List[float] = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        while len(found) < calls and (not found or sum(found) < limit):
            start = time.perf_counter()
            once()
            found.append(time.perf_counter() - start)
    finally:
        if collecting:
            gc.enable()
    return found


def peak(once: Once) -> Optional[int]:
    """Bytes that a call needs at its peak beyond what was resident before; None where the system does not tell.

    Memory that was freed before is given back first, where the C library can: kept for the next call, it would hide
    what that call needs.  What a framework's own allocator keeps stays hidden.
    """
    gc.collect()
    give_back()
    try:
        with open(CLEAR_REFS, "w") as stream:
            stream.write(RESET_PEAK)
        before = _resident()["VmRSS"]
    except (OSError, KeyError):  # no Linux, or a container that forbids it
        return None
    once()
    return max(_resident()["VmHWM"] - before, 0)


def _resident() -> Dict[str, int]:
    """Resident memory of this process now (VmRSS) and at its peak (VmHWM), in bytes."""
    found = {}
    with open(STATUS) as stream:
        for line in stream:
            name, _, rest = line.partition(":")
            if name in ("VmRSS", "VmHWM"):
                found[name] = int(rest.split()[0]) * 1024  # "1234 kB"
    return found
