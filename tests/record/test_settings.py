"""What a setting of the environment changes, result by result."""

from __future__ import annotations

import pytest

from conformance.record.settings import distance


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("3f800000", "3f800001"), (1.0, 0)),
        (("3f800000", "bf800000"), (2.0**24, 0)),
        (("00000000", "00000001"), (1.0, 0)),
        (("00000000", "80000000"), (0.0, 0)),
        (("00000000", "3f800000"), (2.0**23, 0)),
        (("3f800000", "7f800000"), (0.0, 1)),
        (("7f800000", "ff800000"), (0.0, 1)),
        (("7fc00000", "ffc00000"), (0.0, 0)),
        (("3f800000", ""), (0.0, 1)),
    ],
)
def test_two_results_differ_by_ulps_or_by_class(pair: tuple[str, str], expected: tuple[float, int]) -> None:
    """Finite results by ULP of the larger; infinities, NaN and no result at all are classes; NaN equals NaN."""
    assert distance([pair], "float32") == expected
