"""Other calls on the same inputs, whose results must agree with those of the plain one.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import numpy as np

from conformance.adapters import Arguments, Implementation, Native, Runtime
from conformance.numbers.formats import Tensor, decode, encode
from conformance.worker.call import Call
from conformance.worker.results import same_bits

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


def produced(producer: str, copied: bool, mean: bool = False) -> Variant:
    """Variants with the probabilities that the framework makes of logits: as it hands them out, or a copy of them.

    With `mean` the loss is called as in a training, with its mean and on one row of a batch: the tensor that a layer
    handed out is then what the loss gets, and nothing stands between them that an unreduced call might need.
    """

    def variant(call: Call, runtime: Runtime, known: Dict[str, Implementation]) -> Call:
        logits, label = logits_of(call.prediction), call.tensors["label"]
        if mean and producer == "sigmoid":  # one unit: a row holds one probability
            logits = Tensor(logits.dtype, logits.bits[:, None])
            label = Tensor(label.dtype, label.bits[:, None])
        made = runtime.bits(runtime.produce(producer, runtime.tensor(logits)))
        if producer == "softmax":  # one column for each of the two classes
            numbers = decode(label)
            label = encode(np.stack([1.0 - numbers, numbers], axis=-1), label.dtype)
        result = call.with_tensors(dict(call.tensors, prediction=made, label=label))
        if mean:
            result = result._replace(reduction="mean", apart=True)
        return result if copied else result._replace(producer=producer, logits=logits)

    return variant


#: Implementations of (logits, label) that have a layer within, by what they are of and what the layer is: one object
#: each, so that what a runtime compiles for it is compiled once.
_WITH_LAYER: Dict[Tuple[Implementation, str], Implementation] = {}


def inside(producer: str, mean: bool = False) -> Variant:
    """Variants in which the layer is part of the function that is called, and compiled with the loss."""
    outside = produced(producer, True, mean)

    def variant(call: Call, runtime: Runtime, known: Dict[str, Implementation]) -> Call:
        one, made = call.implementation, outside(call, runtime, known)
        logits = logits_of(call.prediction)
        if made.prediction.shape != logits.shape and producer == "sigmoid":
            logits = Tensor(logits.dtype, logits.bits[:, None])

        def layered(prediction: Native, label: Native, **rest: Any) -> Native:
            return one.call(runtime.produce(producer, prediction), label, **rest)

        if (one, producer) not in _WITH_LAYER:
            _WITH_LAYER[one, producer] = Implementation(**dict(vars(one), call=layered))
        return made._replace(implementation=_WITH_LAYER[one, producer], tensors=dict(made.tensors, prediction=logits))

    return variant


def made_otherwise(manner: str) -> Variant:
    """The same call, made in a manner of `MANNERS`."""
    return lambda call, runtime, known: call._replace(manner=manner)


#: An element of another kind that a batch may hold, (prediction, label) by the form: NaN, an infinite loss, and a loss
#: that is large in every format.
STRANGERS: Dict[str, Dict[str, Tuple[float, float]]] = {
    "nan": {"logits": (float("nan"), 0.0), "probabilities": (0.5, float("nan"))},
    "infinite": {"logits": (float("inf"), 0.0), "probabilities": (0.0, 1.0)},
    "huge": {"logits": (30000.0, 0.0), "probabilities": (0.5, 30000.0)},
}


#: The manner of a plain call between two strangers.
BESIDE = "beside"


def beside(stranger: str) -> Variant:
    """The same elements between two others that are no ordinary ones."""

    def variant(call: Call, runtime: Runtime, known: Dict[str, Implementation]) -> Call:
        pair = STRANGERS[stranger][call.implementation.form]
        numbers = dict(zip(("prediction", "label"), pair))

        def between(name: str, tensor: Tensor) -> Tensor:
            other = encode(np.array([numbers.get(name, 1.0)]), tensor.dtype).bits
            return Tensor(tensor.dtype, np.concatenate([other, tensor.bits, other]))

        tensors = {name: between(name, tensor) for name, tensor in call.tensors.items()}
        return call.with_tensors(tensors)._replace(manner=BESIDE)

    return variant


#: Implementations whose results are multiplied by an upstream gradient, by what they are of and how they are reduced:
#: one object each, so that what a runtime compiles for it is compiled once.
_MULTIPLIED: Dict[Tuple[Implementation, str], Implementation] = {}


def upstream(reduction: str) -> Variant:
    """The gradient of the results, or of their sum, times powers of two: what comes from above in a larger model.

    A vector-Jacobian product with other cotangents than ones; `divided` takes the powers out of it, exactly.
    """

    def variant(call: Call, runtime: Runtime, known: Dict[str, Implementation]) -> Call:
        key = call.implementation, reduction
        if key not in _MULTIPLIED:
            _MULTIPLIED[key] = _multiplied(call.implementation, reduction)
        factors = cotangents(call.size if reduction == "none" else 1)
        shape = factors if reduction == "none" else factors.reshape(())
        tensors = dict(call.tensors, upstream=encode(shape, call.prediction.dtype))
        made = call.with_tensors(tensors)
        return made._replace(implementation=_MULTIPLIED[key], reduction=reduction, manner="upstream")

    return variant


def _multiplied(one: Implementation, reduction: str) -> Implementation:
    rest = {} if reduction == "none" else {"reduction": reduction}

    def times(call: Callable[..., Native]) -> Callable[..., Native]:
        def product(prediction: Native, label: Native, upstream: Native, **others: Any) -> Native:
            return call(prediction, label, **dict(others, **rest)) * upstream

        return product

    derivatives = {name: times(call) for name, call in one.derivatives.items()}
    return Implementation(**dict(vars(one), call=times(one.call), derivatives=derivatives))


def cotangents(count: int) -> Any:
    """Powers of two from 1/8 to 8 with both signs, in an order that no block of a kernel repeats: 7 and 2 are prime."""
    places = np.arange(count)
    return np.where(places % 2, -1.0, 1.0) * np.ldexp(1.0, places * 5 % 7 - 3)


def divided(result: Tensor, factors: Tensor) -> Tensor:
    """A gradient without the powers of two that came from above; one of another shape is left as it is."""
    if factors.bits.size not in (1, result.bits.size):
        return result
    with np.errstate(all="ignore"):
        return encode(decode(result) / decode(factors), result.dtype)


class Asked(NamedTuple):
    """A call that is made in a manner of its own: its tensors, and what makes, evaluates and reads native ones."""

    call: Call
    natives: Arguments
    runtime: Runtime
    arguments: Callable[[Call], Arguments]
    evaluate: Callable[[Call, Arguments], Native]
    read: Callable[[Native], Tensor]

    def plainly(self) -> Tensor:
        """The result of a plain call."""
        return self.read(self.evaluate(self.call, self.natives))


#: How often each of two threads makes its call while the other one does, and how many other calls are made before a
#: result is read: scratch memory may go round.
ROUNDS = 4

#: Seconds for which a thread waits for the other one to start.
PATIENCE = 60


def _in_threads(*bodies: Callable[[], Any]) -> List[Any]:
    """What functions return that run in a new thread each.  Raises what the first of them raises that fails."""
    results: List[Any] = [None] * len(bodies)
    errors: List[BaseException] = []

    def run(index: int) -> None:
        try:
            results[index] = bodies[index]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(bodies))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if errors:
        raise errors[0]
    return results


def in_another_thread(asked: Asked) -> Tensor:
    """The call in a thread that is new."""
    (result,) = _in_threads(asked.plainly)
    return result  # type: ignore[no-any-return]


def in_two_threads(asked: Asked) -> Tensor:
    """The call in one thread while another one calls the same loss on other numbers; a result that differs, if any."""
    control = asked.call.control()
    start = threading.Barrier(2)

    def own() -> List[Tensor]:
        start.wait(PATIENCE)
        return [asked.plainly() for _ in range(ROUNDS)]

    def other() -> None:
        natives = asked.arguments(control)
        start.wait(PATIENCE)
        for _ in range(ROUNDS):
            asked.evaluate(control, natives)

    results, _ = _in_threads(own, other)
    before = asked.plainly()
    return next((one for one in results if not same_bits(one, before)), before)


def read_after_another(asked: Asked) -> Tensor:
    """The result of the call, read when the same loss has been called on other numbers."""
    result = asked.evaluate(asked.call, asked.natives)
    control = asked.call.control()
    for _ in range(ROUNDS):
        asked.evaluate(control, asked.arguments(control))
    return asked.read(result)


def read_after_writing(asked: Asked) -> Tensor:
    """The result of the call, read when its inputs have been written to, where they can be."""
    result = asked.evaluate(asked.call, asked.natives)
    for native in asked.natives.values():
        asked.runtime.overwrite(native)
    return asked.read(result)


def inner(result: Tensor, size: int) -> Tensor:
    """Results without the first and the last, which are those of the strangers; other shapes are left as they are."""
    return Tensor(result.dtype, result.bits[1:-1]) if result.shape == (size,) else result


def of_one_tensor(asked: Asked) -> Tensor:
    """The call with one tensor as prediction and as label, which hold the same numbers."""
    same = same_bits(asked.call.prediction, asked.call.tensors["label"])
    natives = dict(asked.natives, label=asked.natives["prediction"]) if same else asked.natives
    return asked.read(asked.evaluate(asked.call, natives))


def passed_as(name: str, convert: Callable[[Tensor], Any]) -> Callable[[Asked], Tensor]:
    """The call with one of its tensors as Python or NumPy has it."""

    def manner(asked: Asked) -> Tensor:
        natives = dict(asked.natives, **{name: convert(asked.call.tensors[name])})
        return asked.read(asked.evaluate(asked.call, natives))

    return manner


def _array(tensor: Tensor) -> Any:
    return decode(tensor).astype(tensor.dtype)  # of a dtype that NumPy has


def _list(tensor: Tensor) -> Any:
    return decode(tensor).tolist()


def _number(tensor: Tensor) -> Any:
    return float(decode(tensor).ravel()[0])


def without_factors(asked: Asked) -> Tensor:
    """A gradient without what came from above."""
    return divided(asked.plainly(), asked.call.tensors["upstream"])


#: The manner in which inputs are written to before the result is read.
OVERWRITTEN = "overwritten"

#: The manner of a call whose label is a list.
LISTED = "label-list"

#: How calls are made that are not made plainly, by `Call.manner`.
MANNERS: Dict[str, Callable[[Asked], Tensor]] = {
    "thread": in_another_thread,
    "threads": in_two_threads,
    "kept": read_after_another,
    OVERWRITTEN: read_after_writing,
    "aliased": of_one_tensor,
    "label-array": passed_as("label", _array),
    LISTED: passed_as("label", _list),
    "weight-array": passed_as("weight", _array),
    "weight-number": passed_as("weight", _number),
    "upstream": without_factors,
}

#: What the name of a variant ends with that is of the gradient.
GRADIENT = "-gradient"

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
    "sigmoid-mean": produced("sigmoid", False, mean=True),
    "sigmoid-mean-copy": produced("sigmoid", True, mean=True),
    "softmax-mean": produced("softmax", False, mean=True),
    "softmax-mean-copy": produced("softmax", True, mean=True),
    "sigmoid-inside": inside("sigmoid"),
    "softmax-mean-inside": inside("softmax", mean=True),
    **{
        name: made_otherwise(name) for name in ("aliased", "label-array", "label-list", "weight-array", "weight-number")
    },
    "upstream-gradient": upstream("none"),
    "upstream-sum-gradient": upstream("sum"),
    **{
        name + ending: variant
        for ending in ("", GRADIENT)
        for name, variant in (
            ("thread", made_otherwise("thread")),
            ("threads", made_otherwise("threads")),
            ("kept", made_otherwise("kept")),
            ("overwritten", made_otherwise("overwritten")),
            ("beside-nan", beside("nan")),
            ("beside-infinite", beside("infinite")),
            ("beside-huge", beside("huge")),
        )
    },
}


def quantity_of(name: str) -> str:
    """The quantity that a variant is of."""
    return "gradient-prediction" if name.endswith(GRADIENT) else "value"
