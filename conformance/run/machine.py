"""What is told of the machine: what the bits of a result may depend on, and no name of a host or user."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Any

#: Extensions by which numeric libraries choose their code, as Linux calls them in /proc/cpuinfo: wider registers, fused
#: multiplication and addition, conversions of 16-bit types.
EXTENSIONS = (
    "sse4_2", "avx", "f16c", "fma", "avx2", "avx512f", "avx512dq", "avx512vl", "avx512_bf16", "avx512_fp16",
    "amx_bf16", "asimd", "asimdhp", "sve", "sve2", "bf16",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """Architecture, processor model, instruction set, Python.

    Where there is no /proc/cpuinfo, the instruction set is "unknown".
    """
    told: dict[str, str] = {}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            told.setdefault(name.strip(), value.strip())  # the first processor's
    flags = told.get("flags", told.get("Features", "")).split()
    return {
        "architecture": platform.machine(),
        "system": platform.system(),
        "processor": told.get("model name") or platform.processor() or platform.machine(),
        "instruction-set": " ".join(name for name in EXTENSIONS if name in flags) or "unknown",
        "python": platform.python_version(),
        "byteorder": sys.byteorder,
    }
