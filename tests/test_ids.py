"""Ids: what is put together is taken apart again, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.ids import CauseId, CheckId, ImplementationId, backend_of
from tests.builders import deterministic

#: Parts of ids, which hold no slash and no colon.
PART = st.text(st.characters(blacklist_characters="/:", blacklist_categories=["Cs"]), min_size=1, max_size=12)


@deterministic
@given(st.tuples(PART, PART, PART, PART))
def test_an_implementation_is_what_its_text_says(parts: tuple[str, str, str, str]) -> None:
    """Parsed once and printed once."""
    one = ImplementationId.parse("/".join(parts))
    assert (tuple(one), str(one)) == (parts, "/".join(parts))
    assert (one.family, one.key) == ("/".join(parts[:2]), "/".join(parts[1:]))


@deterministic
@given(st.tuples(PART, PART, PART, PART, PART))
def test_a_cause_is_what_its_text_says(parts: tuple[str, str, str, str, str]) -> None:
    """Its family is that of the implementations that it is attributed to, its stem all but the signature."""
    one = CauseId.parse("/".join(parts))
    assert (tuple(one), str(one)) == (parts, "/".join(parts))
    assert (one.family, one.stem) == ("/".join(parts[:2]), "/".join(parts[:4]))


@deterministic
@given(st.tuples(PART, PART), st.tuples(PART, PART, PART, PART), PART, PART)
def test_a_check_is_what_its_text_says(
    case: tuple[str, str], implementation: tuple[str, str, str, str], dtype: str, quantity: str
) -> None:
    """A case has slashes of its own, and so has an implementation."""
    one = CheckId("/".join(case), "/".join(implementation), dtype, quantity)
    assert CheckId.parse(str(one)) == one


@pytest.mark.parametrize("text", ["", "torch", "torch/loss/eager", "torch/loss/eager/cpu/more"])
def test_what_has_other_parts_is_no_implementation(text: str) -> None:
    """A part too few or too many would shift the others."""
    with pytest.raises(ValueError, match="unpack"):
        ImplementationId.parse(text)


@pytest.mark.parametrize(
    "text", ["torch", "torch/loss", "torch/loss/eager/cpu", "torch/loss/value/ordinary/inaccurate"]
)
def test_the_backend_of_anything_is_what_stands_before_the_first_slash(text: str) -> None:
    """Of a backend alone it is the backend."""
    assert backend_of(text) == "torch"
