"""Other calls on the same inputs, whose results must agree with those of the plain one.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from typing import Callable, Dict

import numpy as np

from conformance.adapters import Implementation, Runtime
from conformance.numbers.formats import Tensor, decode, encode
from conformance.worker.call import Call

#: (call, its runtime, the implementations of its adapter by key) -> the other call.
Variant = Callable[[Call, Runtime, Dict[str, Implementation]], Call]


def unreduced(call: Call, runtime: Runtime, known: Dict[str, Implementation]) -> Call:
    """The same call without its reduction."""
    return call._replace(reduction="none")


def without_options(call: Call, runtime: Runtime, known: Dict[str, Implementation]) -> Call:
    """The same call with prediction and label only."""
    return call.with_tensors({name: call.tensors[name] for name in ("prediction", "label")})


def in_reversed_order(call: Call, runtime: Runtime, known: Dict[str, Implementation]) -> Call:
    """The same elements, the last one first."""
    return call.with_tensors({name: Tensor(one.dtype, one.bits[::-1].copy()) for name, one in call.tensors.items()})


def counterpart(call: Call, runtime: Runtime, known: Dict[str, Implementation]) -> Call:
    """The implementation's counterpart on the probabilities of the logits, rounded to their dtype."""
    one = call.implementation
    other = known["%s/%s/%s" % (one.counterpart, one.mode, one.device)]
    made = call.with_tensors(dict(call.tensors, prediction=probabilities_of(call.prediction)))
    return made._replace(implementation=other)


def probabilities_of(logits: Tensor) -> Tensor:
    """The sigmoid of logits, rounded to their dtype."""
    with np.errstate(over="ignore"):
        return encode(1.0 / (1.0 + np.exp(-decode(logits))), logits.dtype)


def logits_of(probabilities: Tensor) -> Tensor:
    """The logits of probabilities, rounded to their dtype."""
    p = decode(probabilities)
    with np.errstate(all="ignore"):
        return encode(np.log(p) - np.log1p(-p), probabilities.dtype)


def produced(producer: str, copied: bool) -> Variant:
    """Variants with the probabilities that the framework makes of logits: as it hands them out, or a copy of them."""

    def variant(call: Call, runtime: Runtime, known: Dict[str, Implementation]) -> Call:
        logits = logits_of(call.prediction)
        made = runtime.bits(runtime.produce(producer, runtime.tensor(logits)))
        tensors = dict(call.tensors, prediction=made)
        if len(made.shape) > 1:  # one column for each of the two classes
            label = decode(call.tensors["label"])
            tensors["label"] = encode(np.stack([1.0 - label, label], axis=-1), call.tensors["label"].dtype)
        result = call.with_tensors(tensors)
        return result if copied else result._replace(producer=producer, logits=logits)

    return variant


#: Other calls on the same inputs, by the name under which a request asks for them.
VARIANTS: Dict[str, Variant] = {
    "unreduced": unreduced,
    "absent": without_options,
    "reversed": in_reversed_order,
    "counterpart": counterpart,
    "sigmoid": produced("sigmoid", False),
    "sigmoid-copy": produced("sigmoid", True),
    "softmax": produced("softmax", False),
    "softmax-copy": produced("softmax", True),
}
