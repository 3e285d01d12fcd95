"""float64 values rounded to a narrower format, and their ULP, by their bits.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import numpy as np

from conformance.numbers.arrays import Floats, Signed
from conformance.numbers.formats import Format

#: Signed integers of a width, and the sign of the narrower ones.
SIGNED: dict[int, np.dtype[np.signedinteger]] = {16: np.dtype(np.int16), 32: np.dtype(np.int32)}
SIGN = np.int16(-(1 << 15))


def rounded(values: Floats, fmt: Format) -> Signed:
    """float64 `values` rounded to nearest even in a format of at most 32 bits, as signed integers of its width."""
    if fmt.name == "float32":
        return values.astype(np.float32).view(np.int32)
    low, high = np.minimum.reduce(values, None), np.maximum.reduce(values, None)
    least, most = 2.0**fmt.emin, 2.0**fmt.emax
    if least <= low and high <= most:
        return _rounded_normal(values, fmt)
    if -most <= low and high <= -least:
        return _rounded_normal(-values, fmt) | SIGN
    if fmt.name == "float16":
        return values.astype(np.float16).view(np.int16)
    quantum = ulp_of(values, fmt)
    near = np.rint(values / quantum)
    near *= quantum
    near = np.where(np.isfinite(values), near, values)
    return (near.astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16).view(np.int16)


def _rounded_normal(values: Floats, fmt: Format) -> Signed:
    """`rounded` for positive numbers that are normal in a 16-bit format, by their bits: twice as fast as a cast."""
    bits = np.ascontiguousarray(values).view(np.int64)
    dropped = 52 - fmt.fraction_bits  # 52: fraction bits of float64
    kept = bits >> dropped
    kept &= 1
    kept += bits
    kept += (1 << (dropped - 1)) - 1
    kept >>= dropped
    kept -= base(fmt)
    return kept.astype(np.int16)


def ulp_of(values: Floats, fmt: Format) -> Floats:
    """formats.ulp for finite float64 values by their bits: four times as fast."""
    power = (values.view(np.int64) & np.int64(0x7FF << 52)).view(np.float64)
    np.maximum(power, 2.0**fmt.emin, out=power)
    np.minimum(power, 2.0**fmt.emax, out=power)
    power *= 2.0**-fmt.fraction_bits
    return power


def base(fmt: Format) -> int:
    """What a bit pattern of a normal number lacks to be the first bits of a float64, whose bias is 1023."""
    return (1022 + fmt.emin) << fmt.fraction_bits  # the field of emin is 1


def magnitude_mask(fmt: Format) -> np.signedinteger:
    """What leaves of a bit pattern all but its sign, as a signed integer."""
    mask: np.signedinteger = np.dtype("int%d" % fmt.width).type((1 << (fmt.width - 1)) - 1)
    return mask
