"""Arithmetic: what each step of a formula is rounded to.

Values are float64 arrays that hold numbers of a narrower format, or of float64 itself.  A sum, difference, product,
quotient or square root of float32 numbers that is computed in float64 and rounded to float32 is rounded correctly,
since 53 >= 2*24 + 2 (S. A. Figueroa, When is double rounding innocuous?, SIGNUM Newsletter 30(3), 1995).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from conformance.numbers.formats import FORMATS

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats
    from conformance.numbers.formats import Format


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """What the steps of a formula are rounded to.

    `inputs` is what a prediction and a label are rounded to first, `step` what each operation gives, `inside` what the
    operations inside of a function that is one kernel give, `result` the dtype of the result.  Under `flush`,
    subnormal results of an operation are zero, and under `daz` subnormal operands are.
    """

    name: str
    inputs: str
    step: str
    inside: str
    result: str
    flush: bool = False
    daz: bool = False
    #: A product whose only use is a sum or a difference is not rounded (fused multiply-add).
    fused: bool = False

    #: An operation gives the widest dtype of its operands, and no input is rounded to the dtype of another.
    promotes: bool = False

    @cached_property
    def steps(self) -> Arithmetic:
        """What the steps are rounded to, whatever the result is: arithmetics with the same share them."""
        return replace(self, name="", result=self.step, promotes=self.promotes and self.inputs != self.step)

    @cached_property
    def unflushed(self) -> Arithmetic:
        """The same in which nothing is flushed."""
        return replace(self, flush=False, daz=False)

    @property
    def given(self) -> str:
        """What inputs are rounded to first."""
        return self.step if self.promotes else self.inputs

    @property
    def own(self) -> str:
        """What an operation on the prediction alone gives."""
        return self.inputs if self.promotes else self.step

    @property
    def other(self) -> str:
        """What an operation gives on an input alone that has that format of 16 bits which the prediction has not."""
        return _OTHER.get(self.inputs, self.step) if self.promotes else self.step


_OTHER = {"float16": "bfloat16", "bfloat16": "float16"}

#: Names of arithmetics: every step in the dtype, ...
EACH, KERNELS, WIDER, NARROWER = "each step", "float32 in each kernel", "float32 inside", "float32 steps"
DOUBLE, DOUBLE_KERNELS, CAST = "float64 inside", "float64 in each kernel", "float32 result"
PROMOTED = "each step in the widest dtype of its operands"
#: ... and what is added to them.
FLUSHED, FUSED = ", flushed", ", fused"
#: An operation on a label or a weight of a narrower dtype alone gives that dtype.
OWN = ", a label's own in its dtype"


def arithmetics(dtype: str, result: str, narrower: bool = False) -> tuple[Arithmetic, ...]:
    """The arithmetics that are tried for inputs of `dtype` and results of the dtype `result`, the plainest first.

    `narrower`: there are labels or weights whose dtype that of the prediction holds.
    """
    each = Arithmetic(name=EACH, inputs=dtype, step=dtype, inside=dtype, result=result)
    single = replace(each, name=WIDER, step="float32", inside="float32")
    double = replace(each, name=DOUBLE, step="float64", inside="float64")
    same = dtype == result
    if dtype == "float64":
        plain = [each] if same else []
        plain += [replace(single, name=NARROWER, inputs="float32")]
        # A float64 that holds a number of float32: what Keras' mean over the last axis returns.
        plain += [replace(each, name=CAST, result="float32")]
    elif dtype == "float32":
        plain = [each, replace(each, name=DOUBLE_KERNELS, inside="float64"), double]
    else:
        plain = [each, replace(each, name=KERNELS, inside="float32")] if same else []
        plain += [single, replace(single, name=DOUBLE_KERNELS, inside="float64")]
        plain += [double] if result == "float64" else []
    if not same and FORMATS[result].precision > FORMATS[dtype].precision:
        # The label or a weight is wider than the prediction: promoted step by step, or all cast to the result's first.
        wider = replace(each, name=PROMOTED, step=result, inside=result, promotes=True)
        plain += [wider, replace(wider, name=f"{result} steps", inputs=result, promotes=False)]
    if narrower and same:
        plain += [replace(one, name=one.name + OWN, promotes=True) for one in plain if one.inputs == one.step]
    flushing = [replace(one, name=one.name + FLUSHED, flush=True, daz=True) for one in plain]
    # XLA, which flushes, lets LLVM contract a product and a sum: CompilerTargetOptions in its
    # xla/service/cpu/cpu_compiler.cc (https://github.com/openxla/xla).
    each_step = {EACH + FLUSHED, EACH + OWN + FLUSHED}
    fused = [replace(one, name=one.name + FUSED, fused=True) for one in flushing if one.name in each_step]
    return (*plain, *flushing, *(fused if dtype in ("float32", "float64") else ()))


def rounded(values: Floats, fmt: Format, flush: bool = False) -> Floats:
    """float64 `values` rounded once to nearest even in `fmt`, as float64; NaN and infinities stay.

    Under `flush` what is below the smallest normal number is zero of the same sign.
    """
    with np.errstate(over="ignore"):
        return nearest(values, fmt, flush)


def nearest(values: Floats, fmt: Format, flush: bool = False) -> Floats:
    """`rounded` for who ignores overflow, of which NumPy warns."""
    if fmt.name == "float64":
        result = values
    elif fmt.name in ("float32", "float16"):
        result = values.astype(fmt.name).astype(np.float64)
    else:
        exponent = np.maximum(np.frexp(values)[1] - 1, fmt.emin) - fmt.fraction_bits
        result = np.ldexp(np.rint(np.ldexp(values, -exponent)), exponent)
        result = np.where(np.abs(result) >= 2.0 ** (fmt.emax + 1), np.copysign(np.inf, values), result)
    if flush:
        result = np.where(np.abs(result) < 2.0**fmt.emin, np.copysign(0.0, result), result)
    return result
