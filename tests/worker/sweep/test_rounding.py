"""Rounding to narrow formats by bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.numbers.formats import FORMATS, encode
from conformance.worker.sweep.rounding import rounded
from tests.builders import deterministic

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@deterministic
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=8), st.sampled_from(["float16", "bfloat16"]))
def test_rounding_by_bits_is_exact_rounding(values: list[float], dtype: str) -> None:
    """As formats.encode, which rounds the exact rational."""
    given_values = np.array(values)
    assert rounded(given_values, FORMATS[dtype]).view(np.uint16).tolist() == encode(given_values, dtype).bits.tolist()
