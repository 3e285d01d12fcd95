"""Exact literals: what a case file writes and the bit pattern that it means in a dtype.

Grammar: a decimal (`0.3`, `-1e-7`), a hexadecimal float (`0x1p-149`), `nan`, `inf`, `-inf`, one of the names `max`,
`min_normal`, `min_subnormal` (of the dtype, optional sign), `nextafter(A, B)` of literals.
A literal is rounded once, to nearest even, from the exact rational: no detour through float64.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from conformance.numbers.formats import FORMATS, Format, infinity_bits, nan_bits, round_to_bits

_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\Z")
_HEX = re.compile(
    r"(?P<sign>[+-]?)0[xX](?P<digits>[0-9a-fA-F]+)(\.(?P<tail>[0-9a-fA-F]*))?([pP](?P<power>[+-]?[0-9]{1,5}))?\Z"
)
_NEXT = re.compile(r"nextafter\((?P<start>[^()]+|nextafter\(.*\)),\s*(?P<toward>[^(),]+)\)\Z")
_NAMES = ("max", "min_normal", "min_subnormal")


class LiteralError(ValueError):
    """A text that is no literal; the message quotes it and states the grammar."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"a number must be a decimal (0.3, -1e-7), a hexadecimal float (0x1p-149), nan, inf, -inf, "
            f"{', '.join(_NAMES)} or nextafter(A, B) (got {text!r})"
        )


def bits_of(text: str, fmt: Format) -> int:
    """The bit pattern that literal `text` means in `fmt`.  Raises LiteralError."""
    text = text.strip()
    sign, body = (1 << (fmt.width - 1) if text[:1] == "-" else 0), text[text[:1] in ("+", "-") :]
    if body.lower() in ("nan", ".nan"):
        return nan_bits(fmt)
    if body.lower() in ("inf", ".inf", "infinity"):
        return sign | infinity_bits(fmt)
    if body == "max":
        return sign | (infinity_bits(fmt) - 1)
    if body == "min_normal":
        return sign | (1 << fmt.fraction_bits)
    if body == "min_subnormal":
        return sign | 1
    step = _NEXT.match(text)
    if step:
        return _next(bits_of(step["start"], fmt), bits_of(step["toward"], fmt), fmt)
    return sign | round_to_bits(abs(rational(text)), fmt)


def rational(text: str) -> Fraction:
    """The exact value of a finite decimal or hexadecimal literal.  Raises LiteralError."""
    if _DECIMAL.match(text):
        return Fraction(text)
    parts = _HEX.match(text)
    if parts is None:
        raise LiteralError(text)
    tail = parts["tail"] or ""
    value = Fraction(int(parts["digits"] + tail, 16), 16 ** len(tail)) * Fraction(2) ** int(parts["power"] or 0)
    return -value if parts["sign"] == "-" else value


def check(text: str) -> None:
    """Raise LiteralError unless `text` is a literal."""
    bits_of(text, FORMATS["float64"])


def _next(start: int, toward: int, fmt: Format) -> int:
    """The neighbour of `start` in the direction of `toward`, by ordinals (-0 and +0 share ordinal 0); NaN has none."""
    if any(bits & ~(1 << (fmt.width - 1)) > infinity_bits(fmt) for bits in (start, toward)):
        return nan_bits(fmt)
    here, there = ordinal(start, fmt), ordinal(toward, fmt)
    here += (here < there) - (here > there)
    return here if here >= 0 else -here | 1 << (fmt.width - 1)


def ordinal(bits: int, fmt: Format) -> int:
    """Monotone integer of a bit pattern: 0 for both zeros, negative for negative values."""
    sign = 1 << (fmt.width - 1)
    return -(bits ^ sign) if bits & sign else bits


def text_of(bits: int, fmt: Format) -> str:
    """The shortest decimal that `bits_of` reads back as these bits; NaN and infinities by name."""
    magnitude = bits & ((1 << (fmt.width - 1)) - 1)
    sign = "-" if bits >> (fmt.width - 1) else ""
    if magnitude > infinity_bits(fmt):
        return "nan"
    if magnitude == infinity_bits(fmt):
        return sign + "inf"
    value = float_of(bits, fmt)
    for digits in range(1, 18):
        rounded = float(f"{value:.{digits}g}")
        text = f"{rounded:.{max(digits, 6)}g}"  # 20 rather than 2e+01
        if bits_of(text, fmt) == bits:
            return text
    return repr(value)


def float_of(bits: int, fmt: Format) -> float:
    """The finite value of a bit pattern as float64, exactly."""
    magnitude = bits & ((1 << (fmt.width - 1)) - 1)
    exponent = magnitude >> fmt.fraction_bits
    fraction = magnitude & ((1 << fmt.fraction_bits) - 1)
    significand = fraction | (1 << fmt.fraction_bits if exponent else 0)
    value = math.ldexp(significand, max(exponent, 1) - 1 + fmt.emin - fmt.fraction_bits)
    return -value if bits >> (fmt.width - 1) else value
