"""Calls of an adapter's implementations in a process of its own, since the test process must import no framework."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent

Results = dict[str, Any]

#: Reads {module, adapter, calls} and writes one answer for each call: dtype, shape and values, or the exception.
DRIVER = """
import json, sys
import numpy as np
from conformance.adapters import load_builtin
from conformance.numbers.formats import decode, encode

asked = json.load(sys.stdin)
adapter = next(one for one in load_builtin(asked["module"]) if one.name == asked["adapter"])
runtime = adapter.runtime
try:
    runtime.open()
except ImportError as error:
    sys.exit("ABSENT " + str(error))
known = adapter.callable()

def native(one):
    tensor = encode(np.array(one["values"], dtype=np.float64), one["dtype"])
    made = runtime.tensor(tensor)
    if "producer" in one:
        made = runtime.produce(one["producer"], made)
        if one.get("copied"):
            made = runtime.tensor(runtime.bits(made))
    return made

def answer(call):
    implementation = known[call["key"]]
    if call["quantity"] not in runtime.quantities(implementation):
        return {"not offered": True}
    arguments = {name: native(one) if isinstance(one, dict) else one for name, one in call["arguments"].items()}
    try:
        result = runtime.bits(runtime.evaluate(implementation, call["quantity"], arguments))
    except Exception as error:
        return {"raised": type(error).__name__, "message": str(error)}
    values = [repr(float(one)) for one in np.asarray(decode(result)).ravel()]
    return {"dtype": result.dtype, "shape": list(result.shape), "values": values}

answers = {name: answer(call) for name, call in asked["calls"].items()}
environment = {name: str(value) for name, value in runtime.environment().items()}
print("ANSWER " + json.dumps({"answers": answers, "environment": environment}))
"""


def tensor(*values: Any, dtype: str = "float32", **made: Any) -> dict[str, Any]:
    """A tensor of `values`; `producer` makes probabilities of them, `copied` in a tensor without provenance."""
    return {
        "values": values[0] if len(values) == 1 and isinstance(values[0], list) else list(values),
        "dtype": dtype,
    } | made


def call(key: str, quantity: str = "value", **arguments: Any) -> dict[str, Any]:
    """One call of the implementation `key`."""
    return {"key": key, "quantity": quantity, "arguments": arguments}


def evaluate(module: str, adapter: str, calls: dict[str, Any], **environment: str) -> Results:
    """Answers to `calls` by name, and the runtime's environment.  {"absent": reason} where the backend is absent."""
    import os

    asked = json.dumps({"module": module, "adapter": adapter, "calls": calls})
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        cwd=ROOT,
        input=asked,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=dict(os.environ, **environment),
    )
    for line in done.stdout.splitlines():
        if line.startswith("ANSWER "):
            answered: Results = json.loads(line.removeprefix("ANSWER "))
            return answered
    absent = [line for line in done.stderr.splitlines() if line.startswith("ABSENT ")]
    assert absent, done.stderr
    return {"absent": absent[0].removeprefix("ABSENT ")}


def numbers(answer: Results) -> list[float]:
    """The results of one call."""
    assert "values" in answer, answer
    return [float(one) for one in answer["values"]]


def array(answer: Results) -> Any:
    """The results of one call as float64, for comparisons in which NaN equals NaN."""
    return np.array(numbers(answer))
