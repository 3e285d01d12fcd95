"""The worker: one backend in one interpreter, answering requests on a pipe of its own.

Run as a script, `python worker.py READ_FD WRITE_FD SOURCE`, by any interpreter that has NumPy; SOURCE is the name of
a built-in adapter module, the path of an adapter file, or `module:` and the name of an installed module.  Standard
output and error belong to the framework and go to a log.  Standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import types
import warnings
from typing import Any, Dict, List, Optional, Sequence, Tuple

if __name__ == "__main__":  # make `conformance` and `reference` importable without touching anything else on sys.path
    import importlib.machinery
    import importlib.util

    _HERE = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.getcwd()) != _HERE]
    for _name in ("conformance", "reference"):
        _folder = os.path.join(os.path.dirname(_HERE), _name)
        _spec = importlib.util.spec_from_file_location(
            _name, os.path.join(_folder, "__init__.py"), submodule_search_locations=[_folder]
        )
        if _spec is not None and _spec.loader is not None and os.path.exists(_folder):
            _module = importlib.util.module_from_spec(_spec)
            sys.modules[_name] = _module
            _spec.loader.exec_module(_module)

import numpy as np

from conformance import adapters as adapter_package
from conformance import protocol
from conformance.adapters import Adapter, Implementation, Runtime
from conformance.formats import FORMATS, Tensor, encode

#: Values of the paired control: inside the domain of both forms, with a label that every entry point takes.
CONTROL = {"prediction": 0.5, "label": 1.0}


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
    """State of one worker: the chosen adapter, its runtime, and the controls that were already tried."""

    def __init__(self, source: str) -> None:
        self.adapters = load(source)
        self.adapter = self.adapters[0]
        self.runtime: Runtime = Runtime()
        self.implementations: Dict[str, Implementation] = {}
        self.controls: Dict[Any, bool] = {}
        self.flushing = flushes_to_zero()

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
            self.runtime.open()
        except ImportError as error:
            return {"absent": "%s: %s" % (type(error).__name__, error)}
        except Exception as error:  # the adapter's own mistake, or a broken installation
            return {"failed": "%s: %s" % (type(error).__name__, error)}
        self.flushing = flushes_to_zero()
        return {
            "versions": {package: version_of(package) for package in self.runtime.packages},
            "environment": dict(self.runtime.environment(), **facts()),
        }

    def evaluate(self, request: Dict[str, Any], arrays: List[Tensor]) -> Tuple[Dict[str, Any], List[Tensor]]:
        """Observe every quantity of one request: first the whole tensor, element by element where that raises."""
        implementation = self.implementations[request["implementation"]]
        call = Call(
            implementation, request["reduction"], arrays[0], arrays[1], dict(zip(request["options"], arrays[2:]))
        )
        results: List[Tensor] = []
        observations: Dict[str, Any] = {}
        for quantity in request["quantities"]:
            whole = self.observe(call, quantity, results)
            if whole["kind"] == "raised" and call.separable:
                observations[quantity] = [
                    self.observe(call.element(index), quantity, results) for index in range(call.size)
                ]
            else:
                observations[quantity] = [whole]
        return {"observations": observations}, results

    def observe(self, call: Call, quantity: str, results: List[Tensor]) -> Dict[str, Any]:
        """One observation of one call; a returned tensor is appended to `results` and named by its index."""
        observation = self.attempt(call, quantity, results)
        if observation["kind"] == "raised":
            values = tuple(tensor.bits.tobytes() for tensor in call.options.values())
            key = (
                call.implementation.key,
                call.reduction,
                quantity,
                call.dtypes,
                call.shape,
                tuple(call.options),
                values,
            )
            if key not in self.controls:
                self.controls[key] = self.attempt(call.control(), quantity, [])["kind"] == "returned"
            observation["control"] = self.controls[key]
        return observation

    def result(self, returned: Any) -> Tensor:
        """The bits of what a call returned; what is no tensor of the framework is a result of its own type."""
        try:
            return self.runtime.bits(returned)
        except TypeError:
            return Tensor(type(returned).__name__, np.zeros(0, dtype=np.uint8))

    def attempt(self, call: Call, quantity: str, results: List[Tensor]) -> Dict[str, Any]:
        """Call once and describe what happened."""
        padded = call.padded(self.runtime.sizes) if call.separable else call
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                natives = [self.runtime.tensor(tensor) for tensor in padded.inputs]
                arguments = dict(zip(("prediction", "label", *call.options), natives))
                if len(call.implementation.reductions) > 1:
                    arguments["reduction"] = call.reduction
                returned = self.runtime.evaluate(call.implementation, quantity, arguments)
                result = cut(self.result(returned), padded.size, call.size)
                changed = [
                    name
                    for name, tensor, native in zip(["prediction", "label", *call.options], padded.inputs, natives)
                    if not same_bits(self.runtime.bits(native), tensor)
                ]
                if flushes_to_zero() != self.flushing:
                    changed.append(protocol.STATE)
        except BaseException as error:  # a framework may raise anything; the parent judges what it means
            return raised(error)
        results.append(result)
        return {
            "kind": "returned",
            "array": len(results) - 1,
            "changed": changed,
            "warnings": sorted({"%s: %s" % (one.category.__name__, one.message) for one in caught}),
        }


class Call:
    """Inputs of one call, and the calls derived from it."""

    def __init__(
        self,
        implementation: Implementation,
        reduction: str,
        prediction: Tensor,
        label: Tensor,
        options: Dict[str, Tensor],
    ) -> None:
        self.implementation = implementation
        self.reduction = reduction
        self.prediction = prediction
        self.label = label
        self.options = options

    @property
    def inputs(self) -> List[Tensor]:
        """Prediction, label and option tensors, in the order in which they travel."""
        return [self.prediction, self.label, *self.options.values()]

    @property
    def shape(self) -> Tuple[int, ...]:
        """Shape of the prediction."""
        return self.prediction.shape

    @property
    def size(self) -> int:
        """Number of elements of the prediction."""
        return int(self.prediction.bits.size)

    @property
    def dtypes(self) -> Tuple[str, ...]:
        """dtype names of all inputs."""
        return tuple(tensor.dtype for tensor in self.inputs)

    @property
    def separable(self) -> bool:
        """Whether each element has a call of its own: an unreduced, one-dimensional request."""
        return self.reduction == "none" and len(self.shape) == 1

    def element(self, index: int) -> Call:
        """The call of element `index` alone, as a tensor of shape (1,)."""

        def pick(tensor: Tensor) -> Tensor:
            return Tensor(tensor.dtype, tensor.bits[index : index + 1] if tensor.shape == self.shape else tensor.bits)

        options = {name: pick(tensor) for name, tensor in self.options.items()}
        return Call(self.implementation, self.reduction, pick(self.prediction), pick(self.label), options)

    def control(self) -> Call:
        """The paired control: same shapes, dtypes and options, values inside the domain."""
        prediction = filled(self.prediction, self.shape, CONTROL["prediction"])
        label = filled(self.label, self.label.shape, CONTROL["label"])
        return Call(self.implementation, self.reduction, prediction, label, self.options)

    def padded(self, sizes: Sequence[int]) -> Call:
        """This one-dimensional call with control elements appended up to the next of `sizes`, if there is one.

        A framework that compiles anew for every shape then compiles for a few sizes only.
        """
        extra = min((size - self.size for size in sizes if size >= self.size), default=0)
        if extra == 0:
            return self

        def pad(tensor: Tensor, value: float) -> Tensor:
            if tensor.shape != self.shape:
                return tensor
            return Tensor(tensor.dtype, np.concatenate([tensor.bits, filled(tensor, (extra,), value).bits]))

        prediction = pad(self.prediction, CONTROL["prediction"])
        label = pad(self.label, CONTROL["label"])
        options = {name: pad(tensor, 1.0) for name, tensor in self.options.items()}
        return Call(self.implementation, self.reduction, prediction, label, options)


def filled(like: Tensor, shape: Tuple[int, ...], value: float) -> Tensor:
    """A tensor of `shape` full of `value`, in the dtype of `like`."""
    values = np.full(shape, value)
    if like.dtype in FORMATS:
        return encode(values, like.dtype)
    return Tensor(like.dtype, values.astype(like.bits.dtype))


def cut(result: Tensor, padded_size: int, size: int) -> Tensor:
    """The result without what padding appended; a result of another shape is left as it is, to be reported."""
    if padded_size != size and result.shape == (padded_size,):
        return Tensor(result.dtype, result.bits[:size])
    return result


def raised(error: BaseException) -> Dict[str, Any]:
    """The observation of an exception: its type and the start of its message."""
    try:
        message = str(error)
    except Exception:  # an exception whose __str__ fails is still an observation
        message = ""
    return {"kind": "raised", "type": type(error).__name__, "message": message[:4000]}


def same_bits(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors hold the same dtype, shape and bit patterns."""
    return left.dtype == right.dtype and left.shape == right.shape and left.bits.tobytes() == right.bits.tobytes()


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


def flushes_to_zero() -> bool:
    """Whether this thread's float32 arithmetic flushes subnormal results to zero."""
    smallest = np.array([2.0**-126], dtype=np.float32)
    return bool((smallest * np.float32(0.5))[0] == 0)


def serve(read_fd: int, write_fd: int, source: str) -> int:
    """Answer requests until the pipe closes; 0 is the exit status of a clean end."""
    with os.fdopen(read_fd, "rb") as incoming, os.fdopen(write_fd, "wb") as outgoing:
        try:
            session: Optional[Session] = Session(source)
        except BaseException as error:  # whatever an adapter file raises is told, with its type
            protocol.write(outgoing, dict(raised(error), kind="refused"))
            return 0
        assert session is not None
        protocol.write(outgoing, {"kind": "adapters", "adapters": [one.declaration() for one in session.adapters]})
        while True:
            message = protocol.read(incoming)
            if message is None:
                return 0
            request = message.header
            if request["op"] == "open":
                protocol.write(outgoing, session.open(request["adapter"]))
            else:
                header, arrays = session.evaluate(request, message.arrays)
                protocol.write(outgoing, header, arrays)


if __name__ == "__main__":
    sys.exit(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
