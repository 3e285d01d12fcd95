"""Literals: the grammar, one exact rounding, the names and nextafter."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.numbers import literals
from conformance.numbers.formats import FORMATS, Format, Tensor, decode, infinity_bits, nan_bits
from conformance.numbers.literals import LiteralError, bits_of, ordinal, rational
from tests.builders import deterministic

every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
FLOAT32 = FORMATS["float32"]


def value(text: str, fmt: Format) -> float:
    """The number that a literal means."""
    return float(decode(Tensor(fmt.name, np.array(bits_of(text, fmt), dtype=fmt.storage))))


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("0.3", Fraction(3, 10)),
        ("-1e-7", Fraction(-1, 10**7)),
        ("+2", Fraction(2)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("1E3", Fraction(1000)),
        ("0x1p-149", Fraction(1, 2**149)),
        ("-0x1.8p1", Fraction(-3)),
        ("0X1F", Fraction(31)),
        ("0x1.", Fraction(1)),
        ("0xa.bP-4", Fraction(0xAB, 256)),
    ],
)
def test_decimals_and_hexadecimal_floats_are_exact(text: str, exact: Fraction) -> None:
    """A finite literal is the rational that it spells."""
    assert rational(text) == exact


@deterministic
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_spellings_of_a_float64_mean_that_float64(number: float) -> None:
    """repr and hex of a float64, which Python reads back exactly, are read back exactly here too."""
    wanted = int(np.float64(number).view(np.uint64))
    assert bits_of(repr(number), FORMATS["float64"]) == wanted
    assert bits_of(number.hex(), FORMATS["float64"]) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-", "+", ".", "e5", "1e", "1e+", "0x", "0x.8", "0x1p", "1p3", "0b1", "0o7", "1_000", "1,5", "1 2",
        "--1", "+-1", "-+1", "+-inf", "- 1", "1f", "1.0.0", "1e12345", "0x1p123456", "Max", "maximum", "min",
        "nextafter", "nextafter()", "nextafter(1)", "nextafter(1,0", "nextafter(1,0))", "nextafter(1,0,0)",
        "-nextafter(1,0)", "nextafter(x,0)", "nextafter(1,x)", "one", "true", "null", "~", "1/3", "\u0663",
        "\u0660.\u0665", "\uff11", "inf\n1", "0.1\x00",
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_quoted(text: str) -> None:
    """What is no literal raises LiteralError, whose message quotes it and states the grammar."""
    with pytest.raises(LiteralError) as caught:
        literals.check(text)
    assert "a number must be" in str(caught.value)
    assert "nextafter(A, B)" in str(caught.value)


def test_a_refusal_quotes_the_text() -> None:
    """The message holds the text that was given."""
    with pytest.raises(LiteralError, match=r"\(got 'one half'\)"):
        literals.check("one half")


@every_format
@pytest.mark.parametrize("text", ["nan", "NaN", ".nan", "-nan", "+nan"])
def test_nan_is_the_default_nan(fmt: Format, text: str) -> None:
    """Every spelling of NaN is one pattern."""
    assert bits_of(text, fmt) == nan_bits(fmt)


@every_format
def test_infinity_keeps_its_sign(fmt: Format) -> None:
    """inf and -inf differ in the sign bit."""
    sign = 1 << (fmt.width - 1)
    for text in ("inf", "+inf", ".inf", "Infinity"):
        assert bits_of(text, fmt) == infinity_bits(fmt)
    assert bits_of("-inf", fmt) == bits_of("-.inf", fmt) == infinity_bits(fmt) | sign


@every_format
def test_zero_keeps_its_sign(fmt: Format) -> None:
    """-0 is the pattern with the sign bit alone."""
    assert bits_of("0", fmt) == bits_of("+0.0", fmt) == 0
    assert bits_of("-0", fmt) == bits_of("-0.0", fmt) == bits_of("-0x0p0", fmt) == 1 << (fmt.width - 1)


@every_format
def test_names_are_the_extremes_of_the_dtype(fmt: Format) -> None:
    """max, min_normal and min_subnormal are those of the tensor's dtype, and a minus negates them."""
    wanted = {
        "max": (2 - 2.0**-fmt.fraction_bits) * 2.0**fmt.emax,
        "min_normal": 2.0**fmt.emin,
        "min_subnormal": 2.0 ** (fmt.emin - fmt.fraction_bits),
    }
    for name, number in wanted.items():
        assert value(name, fmt) == number
        assert value("-" + name, fmt) == -number
        assert value("+" + name, fmt) == number


def test_a_decimal_is_rounded_once_into_float32() -> None:
    """1 + 2^-24 + 1e-30 is above the tie that its float64 lies on, so float32 rounds it up."""
    text = "1.000000059604644775390625000001"
    assert np.float32(float(text)) == 1.0
    assert bits_of(text, FLOAT32) == 0x3F800001


def test_a_decimal_is_rounded_once_into_float16() -> None:
    """2049.0000000000000000001 is above a tie of float16 that its float64 lies on."""
    text = "2049.0000000000000000001"
    assert np.float16(float(text)) == 2048.0
    assert value(text, FORMATS["float16"]) == 2050.0


def test_a_decimal_does_not_pass_through_float32_on_its_way_to_bfloat16() -> None:
    """1.00390625 + 2^-40 is above a tie of bfloat16 that its float32 lies on."""
    text = "0x1.0100000001p0"
    assert np.float32(float.fromhex(text)) == 1.00390625
    assert value(text, FORMATS["bfloat16"]) == 1.0078125


def test_huge_and_tiny_literals_round_like_any_other() -> None:
    """An exponent beyond the format gives infinity or zero with the literal's sign."""
    assert bits_of("1e9999", FLOAT32) == infinity_bits(FLOAT32)
    assert bits_of("-1e-9999", FLOAT32) == 1 << 31
    assert bits_of("0x1p-99999", FLOAT32) == 0


@pytest.mark.parametrize("name", ["float64", "float32", "float16"])
@pytest.mark.parametrize("start", ["0", "1", "-1", "max", "-max", "inf", "-inf", "min_normal", "0.1", "65504"])
@pytest.mark.parametrize("toward", ["0", "1", "inf", "-inf", "-2"])
def test_nextafter_is_that_of_numpy(name: str, start: str, toward: str) -> None:
    """nextafter(A, B) is np.nextafter in the dtype of the tensor."""
    fmt = FORMATS[name]
    kind = np.dtype(name).type
    with np.errstate(all="ignore"):
        wanted = np.nextafter(kind(value(start, fmt)), kind(value(toward, fmt)))
    assert value(f"nextafter({start}, {toward})", fmt) == float(wanted)


@every_format
def test_nextafter_steps_over_zero(fmt: Format) -> None:
    """From either zero the next number is the smallest subnormal of the side that is asked for."""
    sign = 1 << (fmt.width - 1)
    for zero in ("0", "-0"):
        assert bits_of(f"nextafter({zero}, 1)", fmt) == 1
        assert bits_of(f"nextafter({zero}, -1)", fmt) == sign | 1
    assert value("nextafter(min_subnormal, -1)", fmt) == 0
    assert value("nextafter(-min_subnormal, 1)", fmt) == 0
    assert bits_of("nextafter(nextafter(min_subnormal, -1), -1)", fmt) == sign | 1


def test_nextafter_of_a_decimal_starts_from_the_rounded_one() -> None:
    """The neighbour is taken in the dtype: nextafter(1, 0) is 1 - 2^-p."""
    for fmt in FORMATS.values():
        assert value("nextafter(1,0)", fmt) == 1 - 2.0**-fmt.precision


@pytest.mark.parametrize("text", ["nextafter(nan, 0)", "nextafter(1, nan)", "nextafter(nan, nan)"])
@every_format
def test_nextafter_of_nan_is_nan(fmt: Format, text: str) -> None:
    """As in IEEE 754 and NumPy, NaN has no neighbours and is none."""
    assert bits_of(text, fmt) == nan_bits(fmt)


def test_ordinals_are_monotone_and_both_zeros_are_one() -> None:
    """Patterns in the order of their values have consecutive ordinals, with -0 and +0 together."""
    fmt = FORMATS["float16"]
    patterns = [bits for bits in range(1 << 16) if bits & 0x7FFF <= infinity_bits(fmt)]
    values = decode(Tensor(fmt.name, np.array(patterns, dtype=np.uint16)))
    by_value = [ordinal(patterns[index], fmt) for index in np.argsort(values, kind="stable")]
    assert sorted(set(by_value)) == list(range(-infinity_bits(fmt), infinity_bits(fmt) + 1))
    assert all(0 <= right - left <= 1 for left, right in itertools.pairwise(by_value))
    assert ordinal(0, fmt) == ordinal(0x8000, fmt) == 0


def test_white_space_around_a_literal_does_not_count() -> None:
    """Blanks before and after a literal are taken off."""
    assert bits_of("  0.5\t", FLOAT32) == bits_of("0.5", FLOAT32)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_the_text_of_a_pattern_is_read_back_as_the_pattern(name: str) -> None:
    """text_of and bits_of are inverse on numbers and infinities, and NaN of any payload is nan."""
    fmt = FORMATS[name]
    for bits in range(0, 1 << 16, 7):
        wanted = bits if bits & 0x7FFF <= infinity_bits(fmt) else nan_bits(fmt)
        assert bits_of(literals.text_of(bits, fmt), fmt) == wanted


@deterministic
@given(st.integers(0, (1 << 64) - 1))
def test_the_text_of_a_float64_is_read_back_as_the_float64(bits: int) -> None:
    """text_of and bits_of are inverse on float64, subnormal numbers included."""
    fmt = FORMATS["float64"]
    number = bits & ((1 << 63) - 1) <= infinity_bits(fmt)
    assert bits_of(literals.text_of(bits, fmt), fmt) == (bits if number else nan_bits(fmt))


@pytest.mark.parametrize(("text", "shown"), [("0.1", "0.1"), ("20", "20"), ("-0", "-0"), ("1e-7", "1e-07"), ("3", "3")])
def test_the_text_of_a_pattern_is_as_short_as_what_people_write(text: str, shown: str) -> None:
    """A rounded decimal is shown as the decimal, not with the digits that rounding brought."""
    assert literals.text_of(bits_of(text, FLOAT32), FLOAT32) == shown
