"""What is known of an implementation before it is called, for the plan, the judge and everything that is told of it.

Worker-side code: standard library only, Python 3.7 on.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, NamedTuple, Tuple

from conformance.contracts import Contract, from_wire, to_wire

#: The mode of a plain call: every runtime has it, and the others are held against it.
BASE_MODE = "eager"

#: What the id of a plain call on the CPU ends with.
PLAIN_CALL = "/%s/cpu" % BASE_MODE

#: Modes that make one program of the call, in records of the time before their implementations said so.
COMPILED_BEFORE = ("compile", "script", "trace", "export", "jit", "function", "function-unknown", "xla")


class Stage(NamedTuple):
    """A stage of a compiled mode: the mode that ends with it, and the step that it adds to the stage before."""

    mode: str
    step: str


class Declaration(NamedTuple):
    """One public entry point in one execution mode on one device: what its adapter says, and what its runtime offers.

    The first fields are those of `adapters.Implementation` of the same names.  `quantities` can be computed, `without`
    are dtypes that no tensor has, `layouts` and `producers` are those of the runtime.  Where there are `few_shapes`,
    every shape and every combination of dtypes costs a compilation; both are then varied only in a mode that is
    `varied`.  In a `compiled` mode the framework makes one program of the call, in `stages`: the last one is the mode
    itself, and there are none where the framework cannot be told to stop after one.  A declaration of a stage says of
    which mode (`stage_of`); no adapter sends one (`in_stages`).
    """

    adapter: str
    entry: str
    mode: str
    device: str
    form: str
    dtypes: Tuple[str, ...]
    options: Tuple[str, ...]
    reductions: Tuple[str, ...]
    quantities: Tuple[str, ...]
    contract: Contract
    link: str = ""
    parameters: Tuple[str, ...] = ()
    labels: str = "any"
    counterpart: str = ""
    masks: bool = False
    without: Tuple[str, ...] = ()
    layouts: Tuple[str, ...] = ("contiguous",)
    producers: Tuple[str, ...] = ()
    few_shapes: bool = False
    varied: bool = False
    compiled: bool = False
    main: bool = False
    singly: bool = False
    stages: Tuple[Stage, ...] = ()
    stage_of: str = ""

    def in_stages(self) -> Iterator[Declaration]:
        """The same entry point in each stage before the whole of its mode, which is asked what the mode is asked."""
        for one in self.stages[:-1]:
            yield self._replace(mode=one.mode, stages=(), stage_of=self.mode)

    @property
    def key(self) -> str:
        """entry/mode/device, unique within its adapter."""
        return "%s/%s/%s" % (self.entry, self.mode, self.device)

    @property
    def id(self) -> str:
        """backend/entry/mode/device."""
        return "%s/%s" % (self.adapter, self.key)

    @property
    def family(self) -> str:
        """backend/entry: what modes and devices have in common, and what a cause is attributed to."""
        return "%s/%s" % (self.adapter, self.entry)

    def to_wire(self) -> Dict[str, Any]:
        """The declaration, ready for JSON."""
        return dict(self._asdict(), contract=to_wire(self.contract))

    @classmethod
    def from_wire(cls, item: Dict[str, Any]) -> Declaration:
        """The inverse of `to_wire`.  Raises ValueError where the contract is not of the vocabulary."""
        fields: Dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in item.items()}
        stages = tuple(Stage(*one) for one in item["stages"])
        return cls(**dict(fields, contract=from_wire(item["contract"]), stages=stages))
