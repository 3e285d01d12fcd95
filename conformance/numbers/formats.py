"""Binary floating-point formats under test: exact rounding into them, decoding, and the ULP.

Worker-side code: standard library and NumPy only, Python 3.7 and NumPy 1.16 on.
Values travel as unsigned integers holding the bit pattern, because NumPy has no bfloat16 and because a
conversion through another format would change the input under test.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Dict, NamedTuple, Sequence, Tuple

import numpy as np

from conformance.numbers.arrays import Bits, Floats, Index, Integers

if TYPE_CHECKING:
    from typing import Any

    Storage = np.dtype[np.unsignedinteger[Any]]


class Format(NamedTuple):
    """An IEEE 754 binary format, or one cut off: bfloat16 from binary32, float8_e5m2 from binary16.

    `precision` is p, the number of significand bits with the hidden one; `emin` and `emax` are the exponents of the
    smallest and the largest normal binade; `width` is the number of bits.
    Source: IEEE 754-2019 table 3.5; bfloat16 as in the Intel white paper 338302; E5M2 as in the OCP 8-bit floating
    point specification, revision 1.0.  Its sister E4M3 has no infinity, and so no place here.
    """

    name: str
    precision: int
    emin: int
    emax: int
    width: int

    @property
    def storage(self) -> Storage:
        """The unsigned NumPy dtype that holds one bit pattern."""
        return np.dtype("uint%d" % self.width)

    @property
    def fraction_bits(self) -> int:
        """Stored significand bits, the hidden one left out."""
        return self.precision - 1

    @property
    def largest(self) -> Fraction:
        """The largest finite value."""
        return (2 - Fraction(1, 2**self.fraction_bits)) * Fraction(2) ** self.emax

    @property
    def unit_roundoff(self) -> float:
        """u = 2^-p, the largest relative error of one rounding to nearest."""
        return 2.0**-self.precision


FORMATS: Dict[str, Format] = {
    "float64": Format("float64", 53, -1022, 1023, 64),
    "float32": Format("float32", 24, -126, 127, 32),
    "float16": Format("float16", 11, -14, 15, 16),
    "bfloat16": Format("bfloat16", 8, -126, 127, 16),
    "float8_e5m2": Format("float8_e5m2", 3, -14, 15, 8),
}

#: A format of which others are the upper half of the bits: NumPy has no dtype for those.
_WIDER = {"bfloat16": "float32", "float8_e5m2": "float16"}


class Tensor(NamedTuple):
    """An array as bit patterns: `dtype` is a name of FORMATS (or another dtype's name), `bits` the raw storage."""

    dtype: str
    bits: Bits

    @property
    def shape(self) -> Tuple[int, ...]:
        """Shape of the tensor."""
        return tuple(self.bits.shape)


def round_to_bits(value: Fraction, fmt: Format) -> int:
    """Bit pattern of `value` rounded once to nearest, ties to even, in `fmt`; beyond the threshold it is infinity.

    The rounding is done on the exact rational, so that there is no double rounding through float64.
    """
    sign = 1 << (fmt.width - 1) if value < 0 else 0
    magnitude = abs(value)
    if magnitude == 0:
        return sign
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if Fraction(2) ** exponent > magnitude:
        exponent -= 1
    exponent = max(exponent, fmt.emin)
    scaled = magnitude / Fraction(2) ** (exponent - fmt.fraction_bits)
    significand = round(scaled)  # Fraction.__round__ rounds ties to even
    if significand >= 1 << fmt.precision:
        significand >>= 1
        exponent += 1
    if exponent > fmt.emax:
        return sign | infinity_bits(fmt)
    if significand < 1 << fmt.fraction_bits:
        return sign | significand
    biased = exponent - fmt.emin + 1
    return sign | (biased << fmt.fraction_bits) | (significand - (1 << fmt.fraction_bits))


def infinity_bits(fmt: Format) -> int:
    """Bit pattern of +infinity."""
    return (fmt.emax - fmt.emin + 2) << fmt.fraction_bits


def nan_bits(fmt: Format) -> int:
    """Bit pattern of the default quiet NaN."""
    return infinity_bits(fmt) | 1 << (fmt.fraction_bits - 1)


def decode(tensor: Tensor) -> Floats:
    """The values of `tensor` as float64, exactly: each format of FORMATS is a subset of float64.

    Integer and boolean tensors are converted; another dtype raises KeyError with its name.
    """
    if tensor.dtype not in FORMATS:
        kind = np.dtype(tensor.dtype).kind if tensor.dtype in _NATIVE else ""
        if kind not in ("i", "u", "b"):
            raise KeyError(tensor.dtype)
        return tensor.bits.astype(np.float64)
    fmt = FORMATS[tensor.dtype]
    bits = np.ascontiguousarray(tensor.bits, dtype=fmt.storage).reshape(tensor.bits.shape)
    if fmt.name in _WIDER:
        wider = FORMATS[_WIDER[fmt.name]]
        shift = wider.storage.type(wider.width - fmt.width)
        return _exactly_widened((bits.astype(wider.storage) << shift).view(np.dtype(wider.name)))
    return _exactly_widened(bits.view(np.dtype(fmt.name)))


def decode_hexadecimal(bits: Sequence[str], dtype: str) -> Floats:
    """Bit patterns in hexadecimal, as records have them, as float64; those of integers are the integers themselves."""
    storage = FORMATS[dtype].storage if dtype in FORMATS else np.dtype(dtype)
    return np.asarray(decode(Tensor(dtype, np.array([int(one, 16) for one in bits], storage))))


def encode(values: Floats, dtype: str) -> Tensor:
    """float64 `values` rounded once to nearest even in `dtype`, as bits."""
    fmt = FORMATS[dtype]
    values = np.asarray(values, dtype=np.float64)
    if fmt.name in _WIDER:
        flat = [_bits_of_float(float(v), fmt) for v in values.ravel()]
        return Tensor(dtype, np.array(flat, dtype=fmt.storage).reshape(values.shape))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        rounded = np.asarray(values.astype(np.dtype(fmt.name)))
    return Tensor(dtype, rounded.view(fmt.storage))


def _exactly_widened(values: Bits) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(values.astype(np.float64))


def _bits_of_float(value: float, fmt: Format) -> int:
    if value != value:
        return nan_bits(fmt)
    sign = 1 << (fmt.width - 1) if np.signbit(value) else 0
    if value in (float("inf"), float("-inf")):
        return sign | infinity_bits(fmt)
    return sign | round_to_bits(abs(Fraction(value)), fmt)


_NATIVE = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def ulp(magnitude: Floats, fmt: Format) -> Floats:
    """ulp_t(r) = 2^(clamp(floor(log2|r|), emin, emax) - (p - 1)) as float64, for r = `magnitude`.

    For float64 the smallest result is 2^-1074, which float64 holds.  Infinite and NaN magnitudes give the ULP of the
    top binade: a caller decides those classes before it measures.
    """
    return np.ldexp(1.0, ulp_exponent(magnitude, fmt.emin, fmt.emax) - fmt.fraction_bits)


def ulp_exponent(magnitude: Floats, emin: Integers, emax: Integers) -> Index:
    """clamp(floor(log2|r|), emin, emax) as integers; zero counts as the smallest magnitude, non-finite as largest."""
    magnitude = np.asarray(magnitude, dtype=np.float64)
    finite = np.isfinite(magnitude)
    _, exponent = np.frexp(np.where(finite, np.abs(magnitude), 1.0))
    exponent = np.where(finite, exponent - 1, emax)
    return np.clip(np.where(magnitude == 0, emin, exponent), emin, emax)
