"""What a remedy is worth in a framework: errors by the sweep engine, results that change, and what it costs.

The formula of today and the remedy are written as source into an adapter file, side by side, and swept as two
implementations; so is what a project calls today, where that is given.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conformance.adapters import Adapter, Implementation, Runtime
from conformance.diagnosis.remedy import Remedy
from conformance.errors import HarnessError
from conformance.formulas.expression import Expression
from conformance.formulas.source import parameters, source
from conformance.numbers.formats import FORMATS, Tensor
from conformance.numbers.literals import bits_of
from conformance.plan.filters import Filters
from conformance.run import run as runs
from conformance.sweep import spec
from conformance.sweep.certificate import Certificate, Result
from conformance.sweep.sweep import sweep
from conformance.worker.sweep import space

TODAY, REMEDY = "today", "remedy"
#: A formula for a gradient becomes a loss with that gradient: a constant in the eyes of the framework, times z.
_CONSTANT = {
    "torch": "({}).detach() * {}",
    "tensorflow": "tf.stop_gradient({}) * {}",
    "jax": "jax.lax.stop_gradient({}) * {}",
}
#: Elements of a call that is timed: more than a call costs by itself, and tensors that a cache of 16 MiB holds.
ELEMENTS = 1 << 18
ROUNDS = 25


@dataclass(frozen=True)
class Cost:
    """Nanoseconds for an element: of the value, and of value and gradient together; the fastest of some rounds."""

    forward: float
    backward: float


@dataclass(frozen=True, kw_only=True)
class Proved:
    """Largest errors in ULP over predictions of a dtype with labels; a proof where `kind` says so, else a lower bound.

    By column of a certificate: "ideal"; "flushed", where flushing to zero is accepted; "scaled", relative to the
    natural terms, which cancellation does not inflate.  `lost` counts NaN, infinities and wrong signs.
    """

    kind: str
    dtype: str
    labels: str
    points: int
    before: Mapping[str, float]
    after: Mapping[str, float]
    lost_before: int
    lost_after: int


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A remedy in a framework, beside today's formula."""

    framework: str
    proved: tuple[Proved, ...]
    #: Results that change, and that keep their bits, of all that were swept.
    changed: int
    kept: int
    today: Cost
    remedy: Cost


def adapter_file(remedy: Remedy, framework: str, today: str = "") -> str:
    """An adapter file with today's formula and the remedy.

    `today` is Python source that defines `today(z, y)`, or `today(p, y)`, with what a project calls now.  Raises
    ValueError for a formula of other inputs than a prediction and a label, and for the second derivative.
    """
    if remedy.quantity not in ("value", "gradient-prediction"):
        raise ValueError(f"{remedy.quantity} is not swept")
    takes = ("z" if remedy.form == "logits" else "p", "y")
    for one in (remedy.today, remedy.formula):
        if other := set(parameters(one)) - set(takes):
            raise ValueError(f"a sweep has a prediction and a label, and no {', '.join(sorted(other))}")
    explicit = remedy.quantity != "value"
    pieces = [
        today or _function(remedy.today, framework, TODAY, takes, explicit),
        _function(remedy.formula, framework, REMEDY, takes, explicit and not remedy.differentiated),
    ]
    declared = ", ".join(f'Implementation("{one}", "{remedy.form}", {one})' for one in (TODAY, REMEDY))
    return "\n\n".join(
        [
            "from conformance.adapters import Adapter, Implementation",
            *pieces,
            f'adapters = [Adapter("remedied", [{declared}], backend="{framework}")]\n',
        ]
    )


def _function(x: Expression, framework: str, name: str, takes: tuple[str, str], explicit: bool) -> str:
    if not explicit:
        return source(x, framework, name, takes)
    code = source(x, framework, f"slope_of_{name}", takes)
    line = _CONSTANT[framework].format(f"slope_of_{name}({', '.join(takes)})", takes[0])
    imports = "import jax\n" if framework == "jax" else ""
    return f"{imports}{code}\n\ndef {name}({', '.join(takes)}):\n    return {line}\n"


def measured(
    remedy: Remedy,
    framework: str,
    dtypes: Mapping[str, Sequence[str] | None] | None = None,
    today: str = "",
    positions: tuple[int, int] | None = None,
) -> Measured:
    """Sweep and time today's formula and the remedy in `framework`: "torch", "tensorflow" or "jax".

    `dtypes` says which are swept and with which labels, None for all pairs with labels in [0, 1]; by default float32
    with 0, 1, 0.5 and 0.3, and all pairs of 16-bit types.  `positions` sweeps a part of the predictions, for tests.
    Raises HarnessError where the framework is absent or the measurement fails.
    """
    wanted = {"float32": spec.LABELS, "float16": None, "bfloat16": None} if dtypes is None else dtypes
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "remedied.py"
        file.write_text(adapter_file(remedy, framework, today), encoding="utf-8")
        proved = tuple(
            _proved(made, labels)
            for dtype, labels in wanted.items()
            for made in [_swept(file, remedy.quantity, dtype, labels, positions)]
        )
        asked = {
            "file": str(file),
            "form": remedy.form,
            "quantity": remedy.quantity,
            "dtypes": dict(wanted),
            "positions": positions,
        }
        found = _asked_of_a_process(asked)
    return Measured(
        framework=framework,
        proved=proved,
        changed=found["changed"],
        kept=found["kept"],
        today=Cost(*found[TODAY]),
        remedy=Cost(*found[REMEDY]),
    )


def _swept(
    file: Path, quantity: str, dtype: str, labels: Sequence[str] | None, positions: tuple[int, int] | None
) -> Certificate:
    options = runs.Options(filters=Filters(backend=("remedied",)), adapters=(file,), timeout=600.0)
    with runs.open_pool(options) as pool:
        (backend,) = (one for one in runs.discover(pool, options) if one.name == "remedied")
        part = spec.make(
            backend,
            backend.implementations,
            quantity=quantity,
            dtype=dtype,
            labels=spec.single(labels, dtype) if labels else spec.pairs("unit", dtype),
            positions=positions,
        )
        return sweep(pool, backend, list(backend.implementations), part, file.with_suffix(".json"), "", False)


def _proved(made: Certificate, labels: Sequence[str] | None) -> Proved:
    before, after = ([one for one in made.results if name in one.implementation.split("/")] for name in (TODAY, REMEDY))
    return Proved(
        kind=made.kind,
        dtype=made.dtype,
        labels=", ".join(labels) if labels else "all in [0, 1]",
        points=sum(one.points for one in before),
        before=_errors(before),
        after=_errors(after),
        lost_before=sum(sum(one.classes.values()) for one in before),
        lost_after=sum(sum(one.classes.values()) for one in after),
    )


def _errors(results: Sequence[Result]) -> dict[str, float]:
    """A column that a certificate leaves out is 0.5: every result is the nearest number."""
    columns = ("ideal", "flushed", "scaled")
    return {name: max(one.worst[name].ulp if name in one.worst else 0.5 for one in results) for name in columns}


# ------------------------------------------------------------------------------------------- in a process of its own


def _asked_of_a_process(asked: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "conformance.sweep.remedied"],
        input=json.dumps(asked),
        env={**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise HarnessError("a remedy could not be measured: " + done.stderr[-600:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _serve() -> None:
    asked = json.load(sys.stdin)
    module: dict[str, Any] = {}
    exec(compile(Path(asked["file"]).read_text(encoding="utf-8"), asked["file"], "exec"), module)
    adapter: Adapter = module["adapters"][0]
    adapter.runtime.open()
    by_name = {one.entry: one for one in adapter.implementations}
    changed = kept = 0
    for dtype, labels in asked["dtypes"].items():
        for given in _inputs(adapter.runtime, asked["form"], dtype, labels, asked["positions"]):
            one, other = (
                adapter.runtime.bits(adapter.runtime.evaluate(by_name[name], asked["quantity"], given)).bits
                for name in (TODAY, REMEDY)
            )
            same = int(np.count_nonzero(one == other))
            kept, changed = kept + same, changed + one.size - same
    costs = _costs(adapter.runtime, by_name, asked["form"])
    print(json.dumps({"changed": changed, "kept": kept, **costs}))


def _inputs(
    runtime: Runtime, form: str, dtype: str, labels: Sequence[str] | None, positions: Sequence[int] | None
) -> Iterator[dict[str, Any]]:
    storage = FORMATS[dtype].storage
    if labels is None:
        bits = np.arange(space.labels_in_unit(dtype), dtype=storage)
    else:
        bits = np.array([bits_of(one, FORMATS[dtype]) for one in labels], storage)
    start, stop = positions or (0, space.size(form, dtype))
    for first, last, _ in space.pieces(form, dtype, start, stop):
        for begin, end in space.chunks(first, last, ELEMENTS):
            prediction = space.patterns(dtype, begin, end)
            many = max(ELEMENTS // prediction.size, 1)
            for part in np.split(bits, range(many, bits.size, many)):
                yield {
                    "prediction": runtime.tensor(Tensor(dtype, np.tile(prediction, part.size))),
                    "label": runtime.tensor(Tensor(dtype, np.repeat(part, prediction.size))),
                }


def _costs(runtime: Runtime, by_name: dict[str, Implementation], form: str) -> dict[str, tuple[float, float]]:
    """float32 predictions as a model has them; rounds in turn, so that what slows the machine slows both."""
    draw = np.random.default_rng(0)
    x = draw.normal(0, 4, ELEMENTS) if form == "logits" else draw.random(ELEMENTS)
    given = {
        name: runtime.tensor(Tensor("float32", of.astype(np.float32).view(np.uint32)))
        for name, of in (("prediction", x), ("label", draw.integers(0, 2, ELEMENTS)))
    }
    best: dict[tuple[str, str], float] = {}
    for _ in range(ROUNDS):
        for name, one in by_name.items():
            for quantity in ("value", "gradient-prediction"):
                begin = time.perf_counter()
                runtime.wait(runtime.evaluate(one, quantity, given))
                seconds = time.perf_counter() - begin
                best[name, quantity] = min(seconds, best.get((name, quantity), seconds))
    nanoseconds = {key: 1e9 * seconds / ELEMENTS for key, seconds in best.items()}
    return {name: (nanoseconds[name, "value"], nanoseconds[name, "gradient-prediction"]) for name in by_name}


if __name__ == "__main__":
    _serve()
