"""Adapters: what the suite needs to know of an implementation, and how to call it.

An adapter file defines `adapters`, a list of `Adapter`.  The built-in ones are the modules of this package; a third
party's file is loaded by `--adapter FILE.py` and treated alike.

Worker-side code: standard library and NumPy only (a framework is imported in `Runtime.open`), Python 3.7 on.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from conformance.adapters.declaration import BASE_MODE, Declaration, Stage
from conformance.adapters.expressions import Expression
from conformance.adapters.writing import Written
from conformance.contracts import Contract
from conformance.numbers.formats import FORMATS, Tensor
from conformance.quantities import NUMBER, QUANTITIES

#: Modules of this package that hold the built-in adapters.
BUILTIN = ("numpy", "scipy", "torch", "tensorflow", "jax", "keras", "tf_keras")

#: The numeric quantities, in the order in which they are computed, and the argument that each differentiates by.
VARIABLE = {one.name: one.variable for one in QUANTITIES.values() if one.kind == NUMBER}
NUMERIC = tuple(VARIABLE)

#: Numbers that a loss may take beside its tensors: they hold for the whole call and travel as float64.
PARAMETERS = ("label_smoothing", "gamma", "alpha")

#: Formats that implementations are judged in, and those in which a case can only observe what happens.
ALL_DTYPES = ("float64", "float32", "float16", "bfloat16")
OBSERVED_DTYPES = ("float8_e5m2",)

#: A tensor of a framework, of which nothing but its runtime knows anything.
Native = Any

#: Function of native tensors: (prediction, label, **options) -> native tensor.
Call = Callable[..., Native]

#: Arguments of one call by name: `prediction`, `label` and the options as native tensors, `reduction`, parameters.
Arguments = Dict[str, Any]

#: Environment variables of a worker and their values.
Setting = Dict[str, str]

#: How a tensor can lie in memory; what a runtime has no notion of is not offered.
LAYOUTS = ("contiguous", "strided", "reversed", "transposed", "offset", "read-only", "broadcast")


#: Lengths that a runtime pads to where every new one costs a compilation: for the elements of one case, and for those
#: of many that travel in one call (`batches.LARGEST`).
SIZES = (4096,)

#: What a framework can make probabilities of logits with.
PRODUCERS = ("sigmoid", "softmax")


#: Devices that a run can ask for.
DEVICES = ("cpu", "cuda", "mps", "tpu")


def chosen_device() -> str:
    """The device that a run asks for (`--device`): what an implementation runs on unless it names another."""
    device = os.environ.get("BCE_DEVICE", "cpu")
    if device not in DEVICES:
        raise ValueError("BCE_DEVICE must be one of %s (got %r)" % (", ".join(DEVICES), device))
    return device


@contextlib.contextmanager
def kept_environment() -> Iterator[None]:
    """When the block ends, the environment variables of this process are as they were."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


def scratch() -> str:
    """A folder that the workers of one run share and that ends with it; "" where there is none."""
    return os.environ.get("BCE_SCRATCH", "")


def threads() -> int:
    """The number of threads that a runtime gives to its framework: one, unless a setting of `environments` differs."""
    return int(os.environ.get("BCE_THREADS", "1"))


def where_cpu_has(feature: str, **variables: str) -> Tuple[Setting, ...]:
    """The setting of `variables` alone, or nothing on a processor without `feature`, a flag of Linux's /proc/cpuinfo.

    Frameworks do not check: told to use an instruction set that is not there, they die of an illegal instruction.
    """
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            flags = next((line.split() for line in stream if line.startswith("flags")), [])
    except OSError:
        flags = []
    return (variables,) if feature in flags else ()


class Mode(NamedTuple):
    """What is asked in an execution mode of a runtime.

    Where every shape and every combination of dtypes costs a compilation (`Runtime.sizes`), both are varied in modes
    that are `varied`, in float32, and in no others.  In a `compiled` mode the framework makes one program of the whole
    call; a mode that runs op by op under a transformation is not one.

    A mode that ends early, after a stage of other modes, says of which (`stage_of`); a runtime has the stages of a mode
    in their order.  `step` is what a mode does that the stage before it does not.  No adapter declares implementations
    in a stage: each of a mode that has stages is run in them where they are asked for by name.
    """

    varied: bool = False
    compiled: bool = False
    stage_of: Tuple[str, ...] = ()
    step: str = ""


#: The mode of a plain call, which every runtime has.
PLAIN = {BASE_MODE: Mode(varied=True)}


def whole(modes: Mapping[str, Mode]) -> Tuple[str, ...]:
    """Those of the `modes` that are no stage of another: what a run of all modes is of."""
    return tuple(name for name, one in modes.items() if not one.stage_of)


def stages(modes: Mapping[str, Mode], mode: str) -> Tuple[Stage, ...]:
    """The stages of a mode, the whole of it last; none where it has no other."""
    before = [Stage(name, one.step) for name, one in modes.items() if mode in one.stage_of]
    return (*before, Stage(mode, modes[mode].step)) if before else ()


def known_or_refused(what: str, name: str, entry: str, known: Iterable[str]) -> None:
    """ValueError for the name of a parameter, dtype, derivative or mode of an entry that there is not."""
    if name not in known:
        raise ValueError("%s %r of %r is not one of %s" % (what, name, entry, ", ".join(known)))


class Implementation:
    """One public entry point in one execution mode on one device, as its adapter declares it.

    `call` takes (prediction, label, reduction=..., **options) in the framework's own tensors and returns one; it gets
    `reduction` only where `reductions` offers a choice, only options named in `options` (tensors), and only
    numbers named in `parameters`; of both only those that a case sets.
    `form` is "probabilities" or "logits".  `quantities` that need autodiff are derived from `call` by the runtime;
    plain NumPy code passes callables of the same signature in `derivatives` instead, keyed by quantity.
    `mode` is one of the runtime's execution modes, `device` the one that the run asks for unless it is fixed here.
    `labels` is "hard" for an entry point that is a binary cross-entropy for labels 0 and 1 only.  `counterpart`
    names the entry of the same adapter and mode that takes the other form of prediction, for the relation between
    the two.  An entry point that `masks` takes as weights only 1 and 0: an element of weight 0 is ignored.
    `main` are the entry points that most users of the framework call: they stand on the first screen of a run.
    Where `reductions` has no "none", cases without a reduction are asked of a loss that is taken `singly`: each element
    in a call of its own, whose mean or sum is the loss of that element.
    """

    def __init__(
        self,
        entry: str,
        form: str,
        call: Call,
        dtypes: Tuple[str, ...] = ALL_DTYPES,
        options: Tuple[str, ...] = (),
        reductions: Tuple[str, ...] = ("none",),
        contract: Contract = (),
        derivatives: Optional[Dict[str, Call]] = None,
        mode: str = BASE_MODE,
        device: str = "",
        link: str = "",
        parameters: Tuple[str, ...] = (),
        labels: str = "any",
        counterpart: str = "",
        masks: bool = False,
        main: bool = False,
        singly: bool = False,
    ) -> None:
        if not re.match(r"[^/:\s]+\Z", entry):
            raise ValueError("entry must be a word without '/' and ':' (got %r)" % (entry,))
        if form not in ("probabilities", "logits"):
            raise ValueError("form of %r must be 'probabilities' or 'logits' (got %r)" % (entry, form))
        if labels not in ("any", "hard"):
            raise ValueError("labels of %r must be 'any' or 'hard' (got %r)" % (entry, labels))
        for what, names, known in (
            ("parameter", parameters, PARAMETERS),
            ("dtype", dtypes, tuple(FORMATS)),
            ("derivative", derivatives or (), NUMERIC[1:]),
        ):
            for name in names:
                known_or_refused(what, name, entry, known)
        self.entry = entry
        self.form = form
        self.call = call
        self.dtypes = tuple(dtypes)
        self.options = tuple(options)
        self.reductions = tuple(reductions)
        self.contract = tuple(contract)
        self.derivatives = dict(derivatives or {})
        self.mode = mode
        self.device = device or chosen_device()
        self.link = link
        self.parameters = tuple(parameters)
        self.labels = labels
        self.counterpart = counterpart
        self.masks = masks
        self.main = main
        self.singly = singly

    def loss(self, arguments: Arguments) -> Native:
        """The result of `call` with named `arguments`."""
        rest = dict(arguments)
        return self.call(rest.pop("prediction"), rest.pop("label"), **rest)

    def loss_of(self, name: str, arguments: Arguments) -> Callable[[Native], Native]:
        """The loss as a function of argument `name` alone; the other `arguments` are fixed."""
        return lambda variable: self.loss(dict(arguments, **{name: variable}))

    @property
    def key(self) -> str:
        """entry/mode/device, unique within its adapter."""
        return "%s/%s/%s" % (self.entry, self.mode, self.device)

    def declared(self, adapter: str, runtime: Runtime) -> Declaration:
        """This implementation as the parent knows it: what it says of itself, under the same names, and its runtime.

        Raises ValueError for a mode that the runtime has not.
        """
        known_or_refused("mode", self.mode, self.entry, runtime.modes)
        mode = runtime.modes[self.mode]
        own = {name: value for name, value in vars(self).items() if name in Declaration._fields}
        own["dtypes"] = (*(dtype for dtype in self.dtypes if dtype in runtime.dtypes()), *runtime.observed)
        return Declaration(
            adapter=adapter,
            quantities=tuple(runtime.quantities(self)),
            without=tuple(runtime.without),
            layouts=tuple(runtime.layouts),
            producers=tuple(runtime.producers),
            few_shapes=bool(runtime.sizes(self)),
            varied=mode.varied,
            compiled=mode.compiled,
            stages=stages(runtime.modes, self.mode),
            **own,
        )

    def in_mode(self, mode: str) -> Implementation:
        """The same in another mode."""
        return Implementation(**dict(vars(self), mode=mode))


class Runtime:
    """One framework in one interpreter: moves bit patterns in and out and differentiates."""

    #: Distribution or module names whose `__version__` goes into the record's header.
    packages: Tuple[str, ...] = ()

    #: Weight of starting it, heaviest first: only the order in which backends are started depends on it.
    cost: int = 0

    #: Devices that it can be asked for; on others it is absent, and so it is where `open` does not find the device.
    devices: Tuple[str, ...] = ("cpu",)

    #: Formats, of OBSERVED_DTYPES, that it has beside those of `dtypes`.
    observed: Tuple[str, ...] = ()

    #: dtypes that a tensor of it cannot have, so that a label or a weight of that dtype would be another input.
    without: Tuple[str, ...] = ()

    #: Execution modes of its implementations, by name; what `evaluate` and `quantities` do is theirs.
    modes: Dict[str, Mode] = PLAIN

    #: How reports and reproducers write its calls in Python.
    written: Written = Written()

    #: Settings of the worker's environment under which bits may differ, the default one first; see `environments`.
    settings: Tuple[Setting, ...] = ()

    def dtype_written(self, dtype: str) -> Any:
        """What `tensor.dtype` is, for a call that is written down (`expressions`)."""
        return Expression(dtype)

    def open(self) -> None:
        """Import the framework and fix its switches.  ImportError means that it, or the device, is absent."""

    @contextlib.contextmanager
    def borrowed(self) -> Iterator[None]:
        """`open` for a process that is not the suite's own: after the block, switches and environment are as before.

        A runtime whose `open` changes more than environment variables puts that back as well.
        """
        with kept_environment():
            self.open()
            yield

    def dtypes(self) -> Tuple[str, ...]:
        """Formats, of ALL_DTYPES, that it has, whatever is installed: a declaration is the same everywhere."""
        return ALL_DTYPES

    def lacking(self) -> Dict[str, str]:
        """Formats of `dtypes` that an open runtime does not have here, with the reason: nothing is asked in them."""
        return {}

    def environment(self) -> Dict[str, Any]:
        """Switches and facts that change bits: instruction set, threads, oneDNN and the like."""
        return {}

    def tensor(self, tensor: Tensor) -> Native:
        """A fresh native tensor with exactly these bits."""
        raise NotImplementedError

    def bits(self, native: Native) -> Tensor:
        """The bits of a native tensor.  Raises TypeError where `native` is no tensor of the framework."""
        raise NotImplementedError

    def wait(self, native: Native) -> None:
        """Return when `native`, which `evaluate` returned, has been computed: its timing ends here.

        Reading the bits is a way that every framework has; where that copies, another one is worth writing.
        """
        self.bits(native)

    def forget(self) -> None:
        """Give back the memory of what was compiled, where the framework keeps it for as long as the process lives."""

    #: Memory layouts, of LAYOUTS, in which `arrange` can present a tensor.
    layouts: Tuple[str, ...] = ("contiguous",)

    #: Elements of one call of a sweep: where the cost of a call no longer shows and a cache still holds the tensors.
    chunk: int = 1 << 16

    #: What `produce` can make probabilities with, of PRODUCERS.
    producers: Tuple[str, ...] = ()

    def quantities(self, implementation: Implementation) -> Tuple[str, ...]:
        """The numeric quantities that can be computed for `implementation`, which may depend on its mode."""
        return NUMERIC

    def sizes(self, implementation: Implementation) -> Tuple[int, ...]:
        """Lengths that unreduced one-dimensional calls are padded to, where each new shape costs a compilation."""
        return ()

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Native:
        """Compute `quantity` of `implementation` in its mode on native tensors and return a native tensor.

        A gradient is that of the sum of all results: for unreduced losses the gradient of each element's own loss.
        """
        raise NotImplementedError

    def arrange(self, tensor: Tensor, layout: str) -> Native:
        """A fresh native tensor with exactly these bits that lies in memory as `layout` says.

        `strided` is every other element of a larger tensor, `reversed` has negative strides, `transposed` is the
        transpose of a contiguous tensor, `offset` starts one element into its memory, `read-only` refuses writes, and
        `broadcast` holds one element, which all others share.
        """
        if layout != "contiguous":
            raise NotImplementedError(layout)
        return self.tensor(tensor)

    def produce(self, producer: str, logits: Native) -> Native:
        """Probabilities that the framework itself makes of native 1-d `logits`, exactly as it hands them out.

        "sigmoid" gives them in the same shape, "softmax" as (n, 2): the probabilities of the classes 0 and 1.
        """
        raise NotImplementedError


class Adapter:
    """A named set of implementations on one runtime: one worker process.

    `backend` is a runtime's name ("numpy", "torch", "tensorflow", "jax", "keras-tensorflow", ...) or a `Runtime`.
    """

    def __init__(self, name: str, implementations: List[Implementation], backend: Any = None) -> None:
        keys = [implementation.key for implementation in implementations]
        double = sorted({key for key in keys if keys.count(key) > 1})
        if double:
            raise ValueError("adapter %r declares %r twice" % (name, double[0]))
        if not re.match(r"[a-z0-9]+(-[a-z0-9]+)*\Z", name):
            raise ValueError("adapter name must be of lower case letters, digits and '-' (got %r)" % (name,))
        self.name = name
        self.implementations = list(implementations)
        self.backend = backend if backend is not None else name

    @property
    def runtime(self) -> Runtime:
        """The runtime that evaluates these implementations."""
        if isinstance(self.backend, Runtime):
            return self.backend
        return runtime(self.backend)

    def callable(self) -> Dict[str, Implementation]:
        """The implementations by their keys, and each of them in the stages of its mode."""
        found = {}
        for one in self.implementations:
            for stage in stages(self.runtime.modes, one.mode)[:-1]:
                made = one.in_mode(stage.mode)
                found[made.key] = made
        return dict(found, **{one.key: one for one in self.implementations})

    def declaration(self) -> Dict[str, Any]:
        """What the parent needs for its plan, ready for JSON.  Raises ValueError for a mode that the runtime lacks."""
        chosen = self.runtime
        return {
            "name": self.name,
            "cost": chosen.cost,
            "settings": list(chosen.settings),
            "chunk": chosen.chunk,
            "implementations": [one.declared(self.name, chosen).to_wire() for one in self.implementations],
        }


def load_builtin(module: str) -> List[Adapter]:
    """The adapters of built-in module `module`."""
    import importlib

    adapters: List[Adapter] = importlib.import_module("conformance.adapters." + module).adapters
    return adapters


def runtime(name: str) -> Runtime:
    """The runtime of the built-in adapter `name`.  Raises ValueError that lists the known names."""
    known = []
    for module in BUILTIN:
        for adapter in load_builtin(module):
            known.append(adapter.name)
            if adapter.name == name and isinstance(adapter.backend, Runtime):
                return adapter.backend
    raise ValueError("backend %r is not one of %s" % (name, ", ".join(known)))
