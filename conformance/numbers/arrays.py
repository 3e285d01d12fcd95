"""What arrays hold, for annotations.

Worker-side code: standard library and NumPy only, Python 3.7 and NumPy 1.16 on, which has no generic array type: there
each of these is an array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Union

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

    #: Patterns of a format as unsigned integers of its width, or integers and booleans as they stand.
    Bits = NDArray[Any]

    #: Patterns as signed integers of their width, differences of them, and places on their line.
    Signed = NDArray[np.signedinteger[Any]]

    #: Patterns of any width as unsigned integers of 64 bits, and positions of predictions.
    Words = NDArray[np.uint64]

    #: Positions, counts and exponents.
    Index = NDArray[np.int64]

    #: Classes of points by their place in a list.
    Codes = NDArray[np.int8]

    Mask = NDArray[np.bool_]
else:
    Floats = Bits = Signed = Words = Index = Codes = Mask = np.ndarray

#: A number for all points, or one for each.
Numbers = Union[float, Floats]
Integers = Union[int, Index]
