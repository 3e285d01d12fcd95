"""Rounding, decoding and the ULP, held against NumPy's and ml_dtypes' own conversions and against exact rationals."""

from __future__ import annotations

import struct
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.numbers.formats import (
    FORMATS,
    Format,
    Tensor,
    decode,
    encode,
    infinity_bits,
    nan_bits,
    round_to_bits,
    ulp,
)
from tests.builders import deterministic

NATIVE = {
    "float64": np.float64,
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e5m2": ml_dtypes.float8_e5m2,
}

every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
sixteen_bits = pytest.mark.parametrize("fmt", [FORMATS["float16"], FORMATS["bfloat16"]], ids=["float16", "bfloat16"])


def native_bits(value: float, fmt: Format) -> int:
    """The pattern that NumPy or ml_dtypes gives for a float64."""
    with np.errstate(all="ignore"):
        return int(np.array(value, dtype=np.float64).astype(NATIVE[fmt.name]).view(fmt.storage))


def spread(count: int, seed: int) -> np.ndarray:
    """float64 numbers of all magnitudes that any of the formats can tell from 0 and from infinity."""
    random = np.random.default_rng(seed)
    return np.ldexp(random.uniform(-2, 2, count), random.integers(-160, 140, count))


def value_of(bits: int, fmt: Format) -> Fraction:
    """The value of a finite pattern, taken apart by hand."""
    sign = -1 if bits >> (fmt.width - 1) else 1
    magnitude = bits & ((1 << (fmt.width - 1)) - 1)
    biased, fraction = magnitude >> fmt.fraction_bits, magnitude & ((1 << fmt.fraction_bits) - 1)
    significand = fraction | (1 << fmt.fraction_bits if biased else 0)
    return sign * significand * Fraction(2) ** (max(biased, 1) - 1 + fmt.emin - fmt.fraction_bits)


def rationals(fmt: Format) -> st.SearchStrategy[Fraction]:
    """Rationals around every binade of a format, subnormal and overflowing ones included."""
    return st.builds(
        lambda numerator, denominator, exponent: Fraction(numerator, denominator) * Fraction(2) ** exponent,
        st.integers(-(1 << 60), 1 << 60),
        st.integers(1, 1 << 60),
        st.integers(fmt.emin - fmt.precision - 3, fmt.emax + 2),
    )


@every_format
def test_parameters_are_those_of_the_native_type(fmt: Format) -> None:
    """Precision, exponents and width agree with finfo of the type that NumPy or ml_dtypes has."""
    info = ml_dtypes.finfo(NATIVE[fmt.name])
    assert (fmt.fraction_bits, fmt.emin, fmt.emax, fmt.width) == (info.nmant, info.minexp, info.maxexp - 1, info.bits)
    assert fmt.largest == Fraction(float(info.max))


@every_format
def test_rounding_agrees_with_the_native_cast(fmt: Format) -> None:
    """A float64 rounds to the pattern that a native cast gives, in every binade."""
    for value in spread(2000, seed=11).tolist():
        assert round_to_bits(Fraction(value), fmt) == native_bits(value, fmt), value


@sixteen_bits
def test_halves_between_neighbours_round_to_the_even_one(fmt: Format) -> None:
    """The midpoint of every pair of neighbours goes to the one with an even pattern, and the native cast agrees."""
    finite = np.arange(infinity_bits(fmt), dtype=fmt.storage)
    values = decode(Tensor(fmt.name, finite))
    middles = (values[:-1] + values[1:]) / 2
    for bits, middle in enumerate(middles.tolist()):
        even = bits + (bits & 1)
        assert round_to_bits(Fraction(middle), fmt) == even == native_bits(middle, fmt)


@every_format
def test_the_smallest_step_off_a_half_decides(fmt: Format) -> None:
    """Just above a midpoint rounds up and just below rounds down, however small the step."""
    lower = (1 << fmt.fraction_bits) * 3 + 1
    middle = (value_of(lower, fmt) + value_of(lower + 1, fmt)) / 2
    step = Fraction(1, 10**400)
    assert round_to_bits(middle - step, fmt) == lower
    assert round_to_bits(middle + step, fmt) == lower + 1


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_a_decimal_is_not_rounded_twice(name: str) -> None:
    """A rational within half a float64 ULP of a midpoint rounds by its own side, not by the midpoint's tie."""
    fmt = FORMATS[name]
    one = (0 - fmt.emin + 1) << fmt.fraction_bits
    above_the_tie = 1 + Fraction(1, 2**fmt.precision) + Fraction(1, 10**30)
    assert float(above_the_tie) == 1 + 2.0**-fmt.precision  # the detour through float64 lands on the tie
    assert native_bits(float(above_the_tie), fmt) == one
    assert round_to_bits(above_the_tie, fmt) == one + 1


@every_format
def test_overflow_begins_half_an_ulp_beyond_the_largest(fmt: Format) -> None:
    """(2 - 2^-p) 2^emax, a tie, goes to infinity; anything below goes to the largest finite number."""
    threshold = (2 - Fraction(1, 2**fmt.precision)) * Fraction(2) ** fmt.emax
    assert round_to_bits(threshold, fmt) == infinity_bits(fmt)
    assert round_to_bits(threshold - Fraction(1, 10**30), fmt) == infinity_bits(fmt) - 1
    assert round_to_bits(-threshold, fmt) == infinity_bits(fmt) | 1 << (fmt.width - 1)


@every_format
def test_half_of_the_smallest_subnormal_rounds_to_zero(fmt: Format) -> None:
    """2^(emin-p) is a tie with 0, which is even; anything more is the smallest subnormal."""
    half = Fraction(2) ** (fmt.emin - fmt.precision)
    assert round_to_bits(half, fmt) == 0
    assert round_to_bits(half * (1 + Fraction(1, 10**40)), fmt) == 1
    assert round_to_bits(-half, fmt) == 1 << (fmt.width - 1)


@every_format
def test_the_largest_subnormal_rounds_up_into_the_normal_numbers(fmt: Format) -> None:
    """The midpoint of the largest subnormal and 2^emin carries into the exponent field."""
    middle = Fraction(2) ** fmt.emin - Fraction(2) ** (fmt.emin - fmt.precision)
    assert round_to_bits(middle, fmt) == 1 << fmt.fraction_bits


@every_format
def test_rounding_finds_a_nearest_number(fmt: Format) -> None:
    """No neighbour of the result is nearer, and an equally near one has an odd pattern."""

    @deterministic
    @given(rationals(fmt))
    def check(value: Fraction) -> None:
        bits = round_to_bits(value, fmt)
        magnitude = bits & ((1 << (fmt.width - 1)) - 1)
        if magnitude == infinity_bits(fmt):
            assert abs(value) >= (2 - Fraction(1, 2**fmt.precision)) * Fraction(2) ** fmt.emax
            return
        error = abs(abs(value) - value_of(magnitude, fmt))
        for neighbour in (magnitude - 1, magnitude + 1):
            if 0 <= neighbour < infinity_bits(fmt):
                other = abs(abs(value) - value_of(neighbour, fmt))
                assert error < other or (error == other and magnitude % 2 == 0)
        assert (bits >> (fmt.width - 1)) == (value < 0)

    check()


@sixteen_bits
def test_every_pattern_decodes_as_the_native_type_reads_it(fmt: Format) -> None:
    """All 2^16 patterns give the float64 that NumPy or ml_dtypes gives, NaN for NaN."""
    bits = np.arange(1 << 16, dtype=np.uint16)
    with np.errstate(invalid="ignore"):
        wanted = bits.view(NATIVE[fmt.name]).astype(np.float64)
    np.testing.assert_array_equal(decode(Tensor(fmt.name, bits)), wanted)
    assert np.array_equal(np.signbit(decode(Tensor(fmt.name, bits))), np.signbit(wanted))


@sixteen_bits
def test_every_pattern_survives_decoding_and_encoding(fmt: Format) -> None:
    """All 2^16 patterns come back unchanged, apart from NaN payloads, which stay NaN."""
    bits = np.arange(1 << 16, dtype=np.uint16)
    magnitude = bits & np.uint16(0x7FFF)
    again = encode(decode(Tensor(fmt.name, bits)), fmt.name).bits
    number = magnitude <= infinity_bits(fmt)
    assert np.array_equal(again[number], bits[number])
    assert ((again[~number] & np.uint16(0x7FFF)) > infinity_bits(fmt)).all()


@sixteen_bits
def test_every_finite_pattern_is_its_own_rounding(fmt: Format) -> None:
    """Rounding the exact value of a pattern gives the pattern."""
    for bits in range(infinity_bits(fmt)):
        assert round_to_bits(value_of(bits, fmt), fmt) == bits


@every_format
def test_encoding_rounds_as_the_exact_rounding_does(fmt: Format) -> None:
    """An encoded float64 array has the patterns of round_to_bits, so bulk and single rounding agree."""
    values = spread(500, seed=5)
    wanted = [round_to_bits(Fraction(value), fmt) for value in values.tolist()]
    assert encode(values, fmt.name).bits.tolist() == wanted


@every_format
def test_special_patterns_are_those_of_ieee_754(fmt: Format) -> None:
    """Infinity and NaN decode to themselves, and encode gives those patterns for them, with the sign of infinity."""
    special = Tensor(fmt.name, np.array([infinity_bits(fmt), nan_bits(fmt)], dtype=fmt.storage))
    assert decode(special)[0] == np.inf
    assert np.isnan(decode(special)[1])
    sign = 1 << (fmt.width - 1)
    encoded = encode(np.array([np.inf, -np.inf, -0.0, np.nan]), fmt.name).bits.tolist()
    assert encoded == [infinity_bits(fmt), infinity_bits(fmt) | sign, sign, nan_bits(fmt)]


def test_float32_default_nan_is_the_quiet_one_of_the_hardware() -> None:
    """The default NaN is positive and quiet with an empty payload."""
    assert nan_bits(FORMATS["float32"]) == struct.unpack("<I", struct.pack("<f", float("nan")))[0] & 0x7FFFFFFF


@every_format
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3), (2, 0, 1)], ids=str)
def test_shapes_survive_decoding_and_encoding(fmt: Format, shape: tuple[int, ...]) -> None:
    """0-d, empty and many-dimensional arrays keep their shape both ways."""
    tensor = encode(np.full(shape, 0.5), fmt.name)
    assert tensor.shape == shape
    assert tensor.bits.dtype == fmt.storage
    assert decode(tensor).shape == shape


def test_decoding_takes_strided_and_big_endian_bits_as_values() -> None:
    """Memory layout does not change what is decoded."""
    bits = encode(np.arange(8.0), "float32").bits
    assert decode(Tensor("float32", bits[::2])).tolist() == [0.0, 2.0, 4.0, 6.0]
    assert decode(Tensor("float32", bits.astype(">u4"))).tolist() == list(range(8))


@pytest.mark.parametrize("name", ["int32", "bool", "uint8"])
def test_integers_decode_to_their_values(name: str) -> None:
    """Integer and boolean results are numbers too, so that a report can show them."""
    assert decode(Tensor(name, np.array([0, 1], dtype=name))).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("name", ["complex64", "<U3", "longdouble", "object"])
def test_other_dtypes_are_refused_by_name(name: str) -> None:
    """A dtype that is neither a format nor an integer raises KeyError with its name."""
    with pytest.raises(KeyError, match=name):
        decode(Tensor(name, np.zeros(1)))


@every_format
def test_the_ulp_follows_its_definition_at_binade_boundaries(fmt: Format) -> None:
    """ulp(2^k) is 2^(k-p+1), and half of that just below 2^k, for every normal binade."""
    for exponent in range(max(fmt.emin + 1, -1000), min(fmt.emax, 1000), 7):
        power = 2.0**exponent
        assert ulp(power, fmt) == 2.0 ** (exponent - fmt.fraction_bits)
        assert ulp(np.nextafter(power, 0), fmt) == 2.0 ** (exponent - 1 - fmt.fraction_bits)
        assert ulp(-power, fmt) == ulp(power, fmt)


@every_format
def test_the_ulp_is_constant_from_the_smallest_normal_binade_down(fmt: Format) -> None:
    """At 2^emin, below it and at 0 the ULP is that of the subnormal numbers."""
    least = 2.0 ** (fmt.emin - fmt.fraction_bits)
    for magnitude in (2.0**fmt.emin, 2.0 ** (fmt.emin - 1), least, 0.0, -0.0):
        assert ulp(magnitude, fmt) == least


@every_format
def test_the_ulp_is_constant_above_the_largest_binade(fmt: Format) -> None:
    """Magnitudes beyond the format have the ULP of its top binade."""
    top = 2.0 ** (fmt.emax - fmt.fraction_bits)
    magnitudes = [float(fmt.largest), np.inf, np.nan]
    if fmt.emax < 1000:
        magnitudes.append(2.0 ** (fmt.emax + 5))
    assert ulp(np.array(magnitudes), fmt).tolist() == [top] * len(magnitudes)


@sixteen_bits
def test_the_ulp_is_the_distance_to_the_next_number_away_from_zero(fmt: Format) -> None:
    """For every finite pattern the ULP is the gap to its successor, which native patterns tell."""
    bits = np.arange(infinity_bits(fmt) - 1, dtype=np.uint16)
    values = decode(Tensor(fmt.name, bits))
    successors = decode(Tensor(fmt.name, bits + np.uint16(1)))
    assert np.array_equal(ulp(values, fmt), successors - values)
