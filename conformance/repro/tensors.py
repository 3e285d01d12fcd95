"""Tensors as Python text with exactly the bits of a request's inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from conformance.adapters.writing import filled
from conformance.errors import InputError
from conformance.numbers.formats import FORMATS, Tensor
from conformance.numbers.literals import float_of, text_of
from conformance.plan.requests import Request
from conformance.repro.sources import Source

#: Most numbers of one tensor that a script makes; of more it would take long to be read by a framework.
LARGEST = 1 << 20

#: Most numbers that a script writes out; more are repetitions of the first ones.
WRITTEN = 12

#: Where a decimal stops being short enough to be read, so that its bits are clearer.
READABLE = 14


def lines(request: Request, source: Source) -> Iterator[str]:
    """An assignment for each tensor of a request.  Raises InputError for a layout or a size that no script has."""
    for name, tensor in request.inputs.tensors.items():
        shape, bits = tensor.shape, tensor.bits.ravel().tolist()
        for presentation in request.presentations:
            shape = presentation.shape_of(name)
            if presentation.layout != "contiguous":
                raise InputError(f"{request.case.id}: a script has no tensor that lies {presentation.layout}")
        size = math.prod(shape)
        if size > LARGEST:
            raise InputError(f"{request.case.id}: a script has no tensor of {size} numbers")
        yield f"{name} = {written(source, tensor, shape)}{_comment(bits[:size], tensor.dtype)}"


def written(source: Source, tensor: Tensor, shape: tuple[int, ...]) -> str:
    """An expression of a tensor of some shape, full of given numbers again and again."""
    numbers = _numbers(tensor.bits.ravel().tolist(), math.prod(shape), tensor.dtype)
    text = filled(source.tensor, numbers=numbers, dtype=tensor.dtype)
    return text if len(shape) == 1 else filled(source.reshaped, tensor=text, shape=repr(tuple(shape)))


def _numbers(bits: Sequence[int], size: int, dtype: str) -> str:
    """`size` numbers of a list, the given ones again and again."""
    written = [number(one, dtype) for one in bits]
    if size <= max(WRITTEN, len(written)):
        return ", ".join(written[place % len(written)] for place in range(size))
    return f"*([{', '.join(written)}] * {-(-size // len(written))})[:{size}]"


def number(bits: int, dtype: str) -> str:
    """A Python expression with exactly the value of a bit pattern: a decimal where a short one is exact."""
    if dtype not in FORMATS:
        return str(bool(bits)) if dtype == "bool" else str(bits)
    text = text_of(bits, FORMATS[dtype])
    if text.strip("-") in ("nan", "inf"):
        return f'float("{text}")'
    value = float_of(bits, FORMATS[dtype])
    return repr(value) if len(repr(value)) <= READABLE else f'float.fromhex("{hexadecimal(value)}")'


def hexadecimal(value: float) -> str:
    """`value.hex()` without zeros at the end of its digits."""
    digits, _, power = value.hex().partition("p")
    return f"{digits.rstrip('0').rstrip('.')}p{power}"


def real(value: float) -> str:
    """A float64 as a Python expression, with its bits as a comment."""
    return f"{value!r}  # {hexadecimal(value)}" if math.isfinite(value) else f'float("{value}")'


def _comment(bits: Sequence[int], dtype: str) -> str:
    """Decimal and bits of a tensor of few numbers."""
    fmt = FORMATS.get(dtype)
    if fmt is None or not 0 < len(bits) <= 2:
        return ""
    return "  # " + ", ".join(f"{text_of(one, fmt)} = 0x{one:0{fmt.width // 4}x}" for one in bits)
