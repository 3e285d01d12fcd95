"""Where what travels with the suite lies: beside the package in a checkout, inside of it where it was installed."""

from __future__ import annotations

from pathlib import Path

#: The folder of the package `conformance`.
PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """The file or folder `name`, relative to the root of a checkout, or the copy that the wheel holds in `data`.

    Whether it is there is not said: a damaged installation shows where it is read.
    """
    packaged = PACKAGE / "data" / Path(name).name
    return packaged if packaged.exists() else PACKAGE.parent / name
