"""The adapter file of all miniatures: `bce-conformance run --adapter tests/miniatures/adapter.py --backend 'mini-*'`.

There is one adapter, and so one process, for each module of the catalogue.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:  # a worker finds `conformance` by itself, but not `tests`
    sys.path.insert(0, str(ROOT))

from conformance.adapters import Adapter  # noqa: E402
from tests.miniatures.registry import CATALOGUE  # noqa: E402

#: Modules of the catalogue.
KINDS = (
    "right",
    "values",
    "gradients",
    "labels",
    "shapes",
    "dtypes",
    "state",
    "modes",
    "options",
    "contracts",
    "crashes",
    "constants",
    "forms",
    "neighbours",
    "approximations",
    "narrow",
    "slopes",
)

MODULES = {kind: importlib.import_module(f"tests.miniatures.{kind}") for kind in KINDS}

adapters = [
    Adapter(
        f"mini-{kind}",
        [
            *getattr(module, "CORRECTLY_ROUNDED", ()),
            *(one for entry in CATALOGUE.values() if entry.kind == kind for one in entry.implementations()),
        ],
        backend=getattr(module, "RUNTIME", "numpy"),
    )
    for kind, module in MODULES.items()
]
