"""A session of a worker: one backend in one interpreter, answering requests on a pipe of its own (`start`)."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import os
import platform
import sys
import types
import warnings
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from conformance import adapters as adapter_package
from conformance.adapters import Adapter, Implementation, Runtime
from conformance.adapters.writing import source
from conformance.numbers.formats import FORMATS, Tensor, decode, encode
from conformance.numbers.soundness import flushes_to_zero
from conformance.worker import protocol, timing

#: Values of the paired control: inside the domain of both forms, with a label that every entry point takes.
CONTROL = {"prediction": 0.5, "label": 1.0}

#: Elements above which a call is not repeated to see whether it gives the same result again.
LARGEST_REPEATED = 1 << 20

#: Results up to this size travel as they are.
LARGEST_WHOLE = 256

#: Bytes by which a process may grow before its framework is asked to forget what it compiled (`Runtime.forget`).
GROWTH = 500 << 20


def load(source: str) -> List[Adapter]:
    """The adapters of a built-in module, of a file or of an installed module.

    Raises what the file or module raises, ValueError where it defines none.
    """
    if source.startswith(protocol.MODULE):
        module = importlib.import_module(source[len(protocol.MODULE) :])
    elif source.endswith(".py"):
        module = executed(source)
    else:
        return adapter_package.load_builtin(source)
    found = getattr(module, "adapters", None)
    if not isinstance(found, list) or not found or not all(isinstance(item, Adapter) for item in found):
        raise ValueError("%s must define `adapters`, a list of conformance.adapters.Adapter" % os.path.basename(source))
    return found


def executed(file: str) -> types.ModuleType:
    """The module that an adapter file makes: code that the user asked to run."""
    module = types.ModuleType("bce_conformance_adapter")
    module.__file__ = file
    sys.modules[module.__name__] = module  # dataclasses and pickle look a class's module up
    with open(file, "rb") as stream:
        code = compile(stream.read(), file, "exec", dont_inherit=True)
    exec(code, module.__dict__)
    return module


class Session:
    """State of one worker: the chosen adapter, its runtime, and the controls that were already tried.

    `start` opens a runtime; a process that the framework does not have for itself borrows it instead.
    """

    def __init__(self, adapters: List[Adapter]) -> None:
        self.adapters = adapters
        self.adapter = self.adapters[0]
        self.runtime: Runtime = Runtime()
        self.implementations: Dict[str, Implementation] = {}
        self.controls: Dict[Any, bool] = {}
        self.flushing = flushes_to_zero()
        self.size = resident()

    def start(self, runtime: Runtime) -> None:
        """Import the framework and fix its switches, for as long as the process lives."""
        runtime.open()

    def open(self, name: str) -> Dict[str, Any]:
        """Import the framework of adapter `name`; the answer holds versions and switches, or why it is absent."""
        for adapter in self.adapters:
            if adapter.name == name:
                self.adapter = adapter
        self.runtime = self.adapter.runtime
        self.implementations = {one.key: one for one in self.adapter.implementations}
        if adapter_package.chosen_device() not in self.runtime.devices:
            return {"absent": "no device %s for it" % adapter_package.chosen_device()}
        try:
            self.start(self.runtime)
        except ImportError as error:
            return {"absent": "%s: %s" % (type(error).__name__, error)}
        except Exception as error:  # the adapter's own mistake, or a broken installation
            return {"failed": "%s: %s" % (type(error).__name__, error)}
        self.flushing = flushes_to_zero()
        self.size = resident()
        return {
            "versions": {package: version_of(package) for package in self.runtime.packages},
            "environment": dict(self.runtime.environment(), **facts()),
            "lacking": self.runtime.lacking(),
        }

    def write(self, request: Dict[str, Any]) -> Dict[str, Any]:
        """One call in Python text (`writing.source`); nothing is called, and no framework is needed."""
        (adapter,) = [one for one in self.adapters if one.name == request["adapter"]]
        try:
            return dict(source(adapter, request), kind="written")
        except Exception as error:
            return raised(error)

    def evaluate(self, request: Dict[str, Any], arrays: List[Tensor]) -> Tuple[Dict[str, Any], List[Tensor]]:
        """Observe every call of one request, in each of its presentations, or one call of several requests.

        Where an unreduced one-dimensional call of one request raises, it is repeated element by element.
        """
        call = Call(
            self.implementations[request["implementation"]],
            request["reduction"],
            dict(zip(request["tensors"], arrays)),
            request["parameters"],
        )
        presented = [call.presented(one["layout"], one["shapes"]) for one in request["presentations"]]
        results: List[Tensor] = []
        observations: Dict[str, Any] = {}
        for name in request["calls"]:
            observe = functools.partial(self.observe, name=name, results=results)
            if presented:
                observations[name] = [observe(one) for one in presented]
                continue
            if request.get("combined"):
                observations[name] = [self.combined(call, name, request["alone"], results)]
                continue
            whole = observe(call)
            raised_whole = whole["kind"] == "raised" and call.separable
            parts = [call.element(index) for index in range(call.size)] if raised_whole else []
            observations[name] = [observe(part) for part in parts] if parts else [whole]
        if resident() > self.size + GROWTH:
            self.runtime.forget()
            give_back()
            self.size = resident()  # what is left is not given back by forgetting once more
        return {"observations": observations}, results

    def combined(self, call: Call, name: str, alone: Sequence[int], results: List[Tensor]) -> Dict[str, Any]:
        """The observation of one call for several requests, and what those of the elements `alone` give that differ.

        An exception needs no control: what it is about is not known before the requests were called for themselves.
        """
        try:
            varied, quantity = self.variant(call, name)
        except Exception as error:
            return raised(error)
        whole = self.attempt(varied, quantity, results)
        if whole["kind"] == "returned" and not whole["changed"]:
            together = results[whole["array"]]
            apart = [(index, self.alone(call.element(index), name)) for index in alone]
            others = [(index, one) for index, one in apart if not same_bits(one, row(together, index))]
            whole["alone"] = [[index, len(results) + place] for place, (index, _) in enumerate(others)]
            results += [one for _, one in others]
        return whole

    def alone(self, call: Call, name: str) -> Tensor:
        """What one element gives alone; no result at all where it raises."""
        kept: List[Tensor] = []
        with contextlib.suppress(Exception):  # the framework's own sigmoid may raise
            varied, quantity = self.variant(call, name)
            self.attempt(varied, quantity, kept)
        return kept[0] if kept else Tensor("nothing", np.zeros(0, dtype=np.uint8))

    def variant(self, call: Call, name: str) -> Tuple[Call, str]:
        """The call and the quantity that `name` stands for.  Raises what the framework raises that makes the inputs."""
        return (VARIANTS[name](self, call), "value") if name in VARIANTS else (call, name)

    def observe(self, call: Call, name: str, results: List[Tensor]) -> Dict[str, Any]:
        """One observation of one call; a returned tensor is appended to `results` and named by its index."""
        try:
            call, name = self.variant(call, name)
        except Exception as error:  # the framework's own sigmoid may raise
            return dict(raised(error), control=False)
        observation = self.attempt(call, name, results)
        if observation["kind"] == "raised":
            values = tuple(tensor.bits.tobytes() for tensor in call.options.values() if tensor.bits.size < 4096)
            key = (call.implementation.key, call.reduction, name, call.kinds, values, tuple(call.parameters.items()))
            if key not in self.controls:
                self.controls[key] = self.attempt(call.control(), name, [])["kind"] == "returned"
            observation["control"] = self.controls[key]
        return observation

    def time(self, request: Dict[str, Any], arrays: List[Tensor]) -> Dict[str, Any]:
        """Time up to `calls` calls on tensors of `elements` elements, which repeat those that were sent.

        Before the `first` ones a call is made in which a framework may compile, and one for its memory.  The backward
        direction is the gradient by the prediction, for which automatic differentiation computes the value on the way;
        where the derivative is a function of its own, the value is computed as well.
        """
        sent = Call(
            self.implementations[request["implementation"]],
            request["reduction"],
            dict(zip(request["tensors"], arrays)),
            {},
        )
        backward = request["direction"] == "backward"
        quantities = ["gradient-prediction"] if backward else ["value"]
        if backward and "gradient-prediction" in sent.implementation.derivatives:
            quantities.insert(0, "value")
        try:
            call = sent.presented("contiguous", [[request["elements"]]] * len(arrays))
            natives = self.natives(call)
            for native in natives.values():
                self.runtime.wait(native)

            def once() -> None:
                for quantity in quantities:
                    self.runtime.wait(self.call(call, quantity, natives))

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the checks tell of them
                if request["first"]:
                    once()
                memory = timing.peak(once) if request["first"] else None
                return {"seconds": timing.durations(once, request["calls"], request["limit"]), "memory": memory}
        except BaseException as error:  # a framework may raise anything, MemoryError among others
            return raised(error)

    def sweep(self, request: Dict[str, Any]) -> Dict[str, Any]:
        """Judge one shard of a sweep, or without a shard tell the files that its result depends on, by SHA-256."""
        kernel = importlib.import_module("conformance.worker.sweep.kernel")
        if request.get("shard") is None:
            return {"code": kernel.code()}
        try:
            return {"found": kernel.run(self.runtime, self.implementations, kernel.Shard.from_wire(request["shard"]))}
        except kernel.Voided as error:
            return {"voided": str(error)}

    def result(self, returned: Any) -> Tensor:
        """The bits of what a call returned; what is no tensor of the framework is a result of its own type."""
        try:
            return self.runtime.bits(returned)
        except TypeError:
            return Tensor(type(returned).__name__, np.zeros(0, dtype=np.uint8))

    def attempt(self, call: Call, quantity: str, results: List[Tensor]) -> Dict[str, Any]:
        """Call once and describe what happened."""
        padded = call.padded(self.runtime.sizes(call.implementation)) if call.separable else call
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                natives = self.natives(padded)
                result = self.result(self.call(padded, quantity, natives))
                changed = [
                    name
                    for name, tensor in padded.tensors.items()
                    if not same_bits(self.runtime.bits(natives[name]), tensor)
                ]
                if flushes_to_zero() != self.flushing:
                    changed.append(protocol.STATE)
                differs = "" if quantity != "value" or changed else self.repeated(padded, natives, result)
        except BaseException as error:  # a framework may raise anything; the parent judges what it means
            return raised(error)
        observation = {
            "kind": "returned",
            "array": len(results),
            "changed": changed,
            "differs": differs,
            "warnings": sorted({"%s: %s" % (one.category.__name__, one.message) for one in caught}),
        }
        result = cut(result, padded.size, call.size)
        if call.period:
            result, observation["shape"], observation["positions"], observation["counts"] = condensed(
                result, call.period
            )
        results.append(result)
        return observation

    def natives(self, call: Call) -> Dict[str, Any]:
        """The tensors of a call as the framework's own."""
        made = {
            name: self.runtime.arrange(tensor, call.layout)
            if call.layout != "contiguous"
            else self.runtime.tensor(tensor)
            for name, tensor in call.tensors.items()
        }
        if call.logits is not None:
            made["prediction"] = self.runtime.produce(call.producer, self.runtime.tensor(call.logits))
        return made

    def call(self, call: Call, quantity: str, natives: Dict[str, Any]) -> Any:
        """Evaluate a quantity on native tensors."""
        arguments = dict(natives, **call.parameters)
        if call.implementation.reductions != ("none",):
            arguments["reduction"] = call.reduction
        return self.runtime.evaluate(call.implementation, quantity, arguments)

    def repeated(self, call: Call, natives: Dict[str, Any], result: Tensor) -> str:
        """What gave another result than the first call did, bit for bit: the same call again, a copy of the tensors.

        Of the many presentations of a case the copy is asked for first, and nothing else where that gives no other.
        """
        if call.size > LARGEST_REPEATED:
            return ""
        copied = same_bits(self.result(self.call(call, "value", self.natives(call))), result)
        if copied and call.period:
            return ""
        if not same_bits(self.result(self.call(call, "value", natives)), result):
            return "the same call again"
        return "" if copied else "a copy of the tensors"


class Call:
    """Inputs of one call, and the calls derived from it.

    `tensors` holds prediction, label and options, in the order in which they travel; `period` is the number of elements
    that a presentation repeats, 0 for a call that is no presentation; `producer` makes the prediction of its logits.
    """

    def __init__(
        self,
        implementation: Implementation,
        reduction: str,
        tensors: Dict[str, Tensor],
        parameters: Dict[str, float],
        layout: str = "contiguous",
        period: int = 0,
    ) -> None:
        self.implementation = implementation
        self.reduction = reduction
        self.tensors = tensors
        self.parameters = parameters
        self.layout = layout
        self.period = period
        self.producer = ""
        self.logits: Optional[Tensor] = None

    def with_tensors(self, tensors: Dict[str, Tensor]) -> Call:
        """The same call on other tensors."""
        return Call(
            self.implementation, self.reduction, tensors, self.parameters, layout=self.layout, period=self.period
        )

    @property
    def prediction(self) -> Tensor:
        """The prediction."""
        return self.tensors["prediction"]

    @property
    def options(self) -> Dict[str, Tensor]:
        """Tensors other than prediction and label."""
        return {name: tensor for name, tensor in self.tensors.items() if name not in ("prediction", "label")}

    @property
    def shape(self) -> Tuple[int, ...]:
        """Shape of the prediction."""
        return self.prediction.shape

    @property
    def size(self) -> int:
        """Number of elements of the prediction."""
        return int(self.prediction.bits.size)

    @property
    def kinds(self) -> Tuple[Any, ...]:
        """Name, dtype and shape of all inputs."""
        return tuple((name, tensor.dtype, tensor.shape) for name, tensor in self.tensors.items())

    @property
    def separable(self) -> bool:
        """Whether each element has a call of its own: an unreduced, one-dimensional request."""
        return self.reduction == "none" and len(self.shape) == 1 and not self.period

    def presented(self, layout: str, shapes: List[List[int]]) -> Call:
        """The elements repeated in order until tensors of these shapes are full, in a memory layout."""
        tensors = {}
        for (name, tensor), shape in zip(self.tensors.items(), shapes):
            bits = tensor.bits[:1] if layout == "broadcast" else tensor.bits
            tensors[name] = Tensor(tensor.dtype, repeated(bits, tuple(shape)))
        return Call(self.implementation, self.reduction, tensors, self.parameters, layout=layout, period=self.size)

    def element(self, index: int) -> Call:
        """The call of element `index` alone, as a tensor of shape (1,)."""

        def pick(tensor: Tensor) -> Tensor:
            return Tensor(tensor.dtype, tensor.bits[index : index + 1] if tensor.shape == self.shape else tensor.bits)

        return self.with_tensors({name: pick(tensor) for name, tensor in self.tensors.items()})

    def control(self) -> Call:
        """The paired control: same dtypes and options, values inside the domain, shapes that fit together."""
        controls = {
            name: filled(tensor, self.shape, CONTROL[name]) if name in CONTROL else reshaped(tensor, self.shape)
            for name, tensor in self.tensors.items()
        }
        return self.with_tensors(controls)

    def padded(self, sizes: Sequence[int]) -> Call:
        """This one-dimensional call with control elements appended up to the next of `sizes`, if there is one.

        A framework that compiles anew for every shape then compiles for a few sizes only.
        """
        extra = min((size - self.size for size in sizes if size >= self.size), default=0)
        if extra == 0:
            return self

        def pad(name: str, tensor: Tensor) -> Tensor:
            if tensor.shape != self.shape:
                return tensor
            more = filled(tensor, (extra,), CONTROL.get(name, 1.0))
            return Tensor(tensor.dtype, np.concatenate([tensor.bits, more.bits]))

        return self.with_tensors({name: pad(name, tensor) for name, tensor in self.tensors.items()})


def unreduced(session: Session, call: Call) -> Call:
    """The same call without its reduction."""
    return Call(call.implementation, "none", call.tensors, call.parameters, layout=call.layout, period=call.period)


def without_options(session: Session, call: Call) -> Call:
    """The same call with prediction and label only."""
    return call.with_tensors({name: call.tensors[name] for name in ("prediction", "label")})


def in_reversed_order(session: Session, call: Call) -> Call:
    """The same elements, the last one first."""
    return call.with_tensors({name: Tensor(one.dtype, one.bits[::-1].copy()) for name, one in call.tensors.items()})


def counterpart(session: Session, call: Call) -> Call:
    """The implementation's counterpart on the probabilities of the logits, rounded to their dtype."""
    one = call.implementation
    other = session.implementations["%s/%s/%s" % (one.counterpart, one.mode, one.device)]
    made = call.with_tensors(dict(call.tensors, prediction=probabilities_of(call.prediction)))
    made.implementation = other
    return made


def probabilities_of(logits: Tensor) -> Tensor:
    """The sigmoid of logits, rounded to their dtype."""
    with np.errstate(over="ignore"):
        return encode(1.0 / (1.0 + np.exp(-decode(logits))), logits.dtype)


def logits_of(probabilities: Tensor) -> Tensor:
    """The logits of probabilities, rounded to their dtype."""
    p = decode(probabilities)
    with np.errstate(all="ignore"):
        return encode(np.log(p) - np.log1p(-p), probabilities.dtype)


def produced(producer: str, copied: bool) -> Callable[[Session, Call], Call]:
    """Variants with the probabilities that the framework makes of logits: as it hands them out, or a copy of them."""

    def variant(session: Session, call: Call) -> Call:
        logits = logits_of(call.prediction)
        made = session.runtime.bits(session.runtime.produce(producer, session.runtime.tensor(logits)))
        tensors = dict(call.tensors, prediction=made)
        if len(made.shape) > 1:  # one column for each of the two classes
            label = decode(call.tensors["label"])
            tensors["label"] = encode(np.stack([1.0 - label, label], axis=-1), call.tensors["label"].dtype)
        result = call.with_tensors(tensors)
        if not copied:
            result.producer, result.logits = producer, logits
        return result

    return variant


#: Other calls on the same inputs, by the name under which a request asks for them.
VARIANTS = {
    "unreduced": unreduced,
    "absent": without_options,
    "reversed": in_reversed_order,
    "counterpart": counterpart,
    "sigmoid": produced("sigmoid", False),
    "sigmoid-copy": produced("sigmoid", True),
    "softmax": produced("softmax", False),
    "softmax-copy": produced("softmax", True),
}


def condensed(result: Tensor, period: int) -> Tuple[Tensor, List[int], List[int], List[int]]:
    """A result whose elements repeat: distinct bit patterns by element, the shape, where each stands first, how often.

    Nothing that a verdict depends on is lost: every pattern that came back for an element is there.
    """
    flat = result.bits.ravel()
    shape = list(result.shape)
    if flat.size <= LARGEST_WHOLE:
        return Tensor(result.dtype, flat), shape, list(range(flat.size)), [1] * flat.size
    patterns: List[Any] = []
    positions: List[int] = []
    counts: List[int] = []
    for element in range(min(period, flat.size)):
        column = flat[element::period]
        if (column == column[0]).all():
            found, first, times = column[:1], np.zeros(1, dtype=np.int64), np.array([column.size])
        else:
            found, first, times = np.unique(column, return_index=True, return_counts=True)
        patterns.append(found)
        positions += (first * period + element).tolist()
        counts += times.tolist()
    return Tensor(result.dtype, np.concatenate(patterns)), shape, positions, counts


def reshaped(tensor: Tensor, shape: Tuple[int, ...]) -> Tensor:
    """The tensor's values repeated to another shape."""
    if tensor.shape == shape or not tensor.bits.size:
        return tensor
    return Tensor(tensor.dtype, repeated(tensor.bits, shape))


def repeated(bits: Any, shape: Tuple[int, ...]) -> Any:
    """A few numbers, in order again and again until an array is full: np.resize, which is slow for many.

    What is filled is copied behind itself, twice as much each time.
    """
    flat = bits.ravel()
    full = np.empty(shape, dtype=flat.dtype)
    there = full.reshape(-1)
    filled = min(flat.size, there.size)
    there[:filled] = flat[:filled]
    while filled < there.size:
        more = min(filled, there.size - filled)
        there[filled : filled + more] = there[:more]
        filled += more
    return full


def filled(like: Tensor, shape: Tuple[int, ...], value: float) -> Tensor:
    """A tensor of `shape` full of `value`, in the dtype of `like`; it is encoded once, narrow formats being slow."""
    one = np.array([value])
    known = encode(one, like.dtype) if like.dtype in FORMATS else Tensor(like.dtype, one.astype(like.bits.dtype))
    return Tensor(like.dtype, np.full(shape, known.bits[0]))


def cut(result: Tensor, padded_size: int, size: int) -> Tensor:
    """The result without what padding appended; a result of another shape is left as it is, to be reported."""
    if padded_size != size and result.shape == (padded_size,):
        return Tensor(result.dtype, result.bits[:size])
    return result


def row(result: Tensor, index: int) -> Tensor:
    """What belongs to one element of a result."""
    return Tensor(result.dtype, result.bits[index : index + 1])


def raised(error: BaseException) -> Dict[str, Any]:
    """The observation of an exception: its type and the start of its message."""
    try:
        message = str(error)
    except Exception:  # an exception whose __str__ fails is still an observation
        message = ""
    return {"kind": "raised", "type": type(error).__name__, "message": message[:4000]}


def same_bits(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors hold the same dtype, shape and bit patterns."""
    return left.dtype == right.dtype and left.shape == right.shape and _equal(left.bits, right.bits)


def _equal(left: Any, right: Any) -> bool:
    """Whether arrays of one shape hold the same bytes: patterns are integers, anything else is compared as bytes."""
    if left.dtype == right.dtype and left.dtype.kind in "uib":
        return bool((left == right).all())
    return bool(left.tobytes() == right.tobytes())


def version_of(package: str) -> str:
    """`__version__` of an imported module: metadata has no `tensorflow` where `tensorflow-cpu` is installed."""
    module = sys.modules.get(package)
    if module is None:
        try:
            module = __import__(package)
        except ImportError:
            return "absent"
    return str(getattr(module, "__version__", "unknown"))


def facts() -> Dict[str, Any]:
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


def serve(read_fd: int, write_fd: int, source: str) -> int:
    """Answer requests until the pipe closes; 0 is the exit status of a clean end."""
    with os.fdopen(read_fd, "rb") as incoming, os.fdopen(write_fd, "wb") as outgoing:
        try:
            session = Session(load(source))
            declared = [one.declaration() for one in session.adapters]
        except BaseException as error:  # whatever an adapter file raises is told, with its type
            protocol.write(outgoing, dict(raised(error), kind="refused"))
            return 0
        protocol.write(outgoing, {"kind": "adapters", "adapters": declared})
        while True:
            message = protocol.read(incoming)
            if message is None:
                return 0
            request = message.header
            if request["op"] == "open":
                if request.get("sweep"):  # before the framework: what NumPy computes now is what it must compute then
                    importlib.import_module("conformance.worker.sweep.kernel")
                protocol.write(outgoing, session.open(request["adapter"]))
            elif request["op"] == "write":
                protocol.write(outgoing, session.write(request))
            elif request["op"] == "sweep":
                protocol.write(outgoing, session.sweep(request))
            elif request["op"] == "time":
                protocol.write(outgoing, session.time(request, message.arrays))
            else:
                header, arrays = session.evaluate(request, message.arrays)
                protocol.write(outgoing, header, arrays)
