"""A session of a worker: one backend in one interpreter, answering requests on a pipe of its own (`start`)."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
import types
import warnings
from typing import Dict, List, Sequence, Tuple

import numpy as np

from conformance import adapters as adapter_package
from conformance.adapters import Adapter, Arguments, Implementation, Native, Runtime
from conformance.adapters.writing import source
from conformance.numbers.formats import Tensor
from conformance.numbers.soundness import flushes_to_zero
from conformance.worker import protocol, timing
from conformance.worker.call import Call, Kinds
from conformance.worker.process import facts, give_back, resident, version_of
from conformance.worker.protocol import Header
from conformance.worker.results import condensed, cut, joined, raised, row, same_bits
from conformance.worker.variants import VARIANTS

#: Elements above which a call is not repeated to see whether it gives the same result again.
LARGEST_REPEATED = 1 << 20

#: Bytes by which a process may grow before its framework is asked to forget what it compiled (`Runtime.forget`).
GROWTH = 500 << 20

#: What the answer of a paired control depends on: implementation, reduction, quantity, kinds and values of the inputs.
Control = Tuple[str, str, str, Kinds, Tuple[bytes, ...], Tuple[Tuple[str, float], ...]]


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
        self.controls: Dict[Control, bool] = {}
        self.flushing = flushes_to_zero()
        self.size = resident()

    def start(self, runtime: Runtime) -> None:
        """Import the framework and fix its switches, for as long as the process lives."""
        runtime.open()

    def open(self, name: str) -> Header:
        """Import the framework of adapter `name`; the answer holds versions and switches, or why it is absent."""
        for adapter in self.adapters:
            if adapter.name == name:
                self.adapter = adapter
        self.runtime = self.adapter.runtime
        self.implementations = self.adapter.callable()
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

    def write(self, request: Header) -> Header:
        """One call in Python text (`writing.source`); nothing is called, and no framework is needed."""
        (adapter,) = [one for one in self.adapters if one.name == request["adapter"]]
        try:
            return dict(source(adapter, request), kind="written")
        except Exception as error:
            return raised(error)

    def evaluate(self, request: Header, arrays: List[Tensor]) -> Tuple[Header, List[Tensor]]:
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
        observations: Dict[str, List[Header]] = {}
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

    def combined(self, call: Call, name: str, alone: Sequence[int], results: List[Tensor]) -> Header:
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
        if name not in VARIANTS:
            return call, name
        return VARIANTS[name](call, self.runtime, self.implementations), "value"

    def observe(self, call: Call, name: str, results: List[Tensor]) -> Header:
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

    def time(self, request: Header, arrays: List[Tensor]) -> Header:
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

    def sweep(self, request: Header) -> Header:
        """Judge one shard of a sweep, or without a shard tell the files that its result depends on, by SHA-256."""
        kernel = importlib.import_module("conformance.worker.sweep.kernel")
        if request.get("shard") is None:
            return {"code": kernel.code()}
        try:
            return {"found": kernel.run(self.runtime, self.implementations, kernel.Shard.from_wire(request["shard"]))}
        except kernel.Voided as error:
            return {"voided": str(error)}

    def result(self, returned: Native) -> Tensor:
        """The bits of what a call returned; what is no tensor of the framework is a result of its own type."""
        try:
            return self.runtime.bits(returned)
        except TypeError:
            return Tensor(type(returned).__name__, np.zeros(0, dtype=np.uint8))

    def attempt(self, call: Call, quantity: str, results: List[Tensor]) -> Header:
        """Call once and describe what happened."""
        padded = call.padded(self.runtime.sizes(call.implementation)) if call.separable and not call.singly else call
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                natives = self.natives(padded)
                result = self.computed(padded, quantity, natives)
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

    def natives(self, call: Call) -> Arguments:
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

    def call(self, call: Call, quantity: str, natives: Arguments) -> Native:
        """Evaluate a quantity on native tensors."""
        arguments = dict(natives, **call.parameters)
        if len(call.implementation.reductions) > 1:
            arguments["reduction"] = call.reduction
        return self.runtime.evaluate(call.implementation, quantity, arguments)

    def computed(self, call: Call, quantity: str, natives: Arguments) -> Tensor:
        """The bits of a quantity; of a loss that is taken singly those of each element, from a call of its own."""
        if not call.singly or not call.size:
            return self.result(self.call(call, quantity, natives))
        calls = map(call.element, range(call.size))
        return joined([self.result(self.call(one, quantity, self.natives(one))) for one in calls])

    def repeated(self, call: Call, natives: Arguments, result: Tensor) -> str:
        """What gave another result than the first call did, bit for bit: the same call again, a copy of the tensors.

        Of the many presentations of a case the copy is asked for first, and nothing else where that gives no other.
        """
        if call.size > LARGEST_REPEATED:
            return ""
        copied = same_bits(self.computed(call, "value", self.natives(call)), result)
        if copied and call.period:
            return ""
        if not same_bits(self.computed(call, "value", natives), result):
            return "the same call again"
        return "" if copied else "a copy of the tensors"


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
