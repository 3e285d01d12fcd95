"""A reader's own numbers as elements of a case: literals, or arrays of a file.  Raises InputError."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conformance.errors import InputError
from conformance.numbers import literals
from conformance.plan.cases import OPTIONS, Element

#: Largest array that is taken from a file.
LARGEST = 1 << 20
#: Most bytes of a whole file, unpacked: five arrays of that many float64, and their headers.
MAX_BYTES = 5 * 8 * LARGEST + (1 << 16)


def from_words(predictions: tuple[str, ...], labels: tuple[str, ...], settings: tuple[str, ...]) -> tuple[Element, ...]:
    """Elements of as many predictions as labels, and of options, NAME=VALUE, that all of them have."""
    if not predictions or len(predictions) != len(labels):
        raise InputError(
            f"as many --label as --prediction are needed (got {len(predictions)} predictions, {len(labels)} labels)"
        )
    values: dict[str, Any] = {}
    for text in settings:
        name, separator, value = text.partition("=")
        if name not in OPTIONS or not separator:
            raise InputError(f"--option must be one of {', '.join(OPTIONS)} with =VALUE (got {text!r})")
        values[name] = value
    for number in (*predictions, *labels, *values.values()):
        try:
            literals.check(number)
        except literals.LiteralError as error:
            raise InputError(str(error)) from None
    return tuple(
        Element(id=f"e{index}", prediction=p, label=y, **values)
        for index, (p, y) in enumerate(zip(predictions, labels, strict=True))
    )


def read(file: Path, optional: Sequence[str]) -> dict[str, Any]:
    """The arrays `prediction`, `label` and those of `optional` that an .npz file has; nothing is unpickled.

    Raises InputError for what is no regular file, too large, damaged, or holds other arrays.
    """
    if not file.is_file():
        raise InputError(f"{file}: must be a regular file", "write one with numpy.savez(file, prediction=…, label=…)")
    try:
        with zipfile.ZipFile(file) as members:
            size = sum(one.file_size for one in members.infolist())
        if size > MAX_BYTES:  # before anything is unpacked
            raise InputError(f"{file}: must unpack to at most {MAX_BYTES} bytes (got {size})", "give a part of it")
        with np.load(file, allow_pickle=False) as loaded:
            arrays = {name: loaded[name] for name in loaded.files}
    except InputError:
        raise
    except Exception as error:  # of zipfile, zlib and NumPy's header, which each have their own for a damaged file
        raise InputError(
            f"{file}: is no .npz file of plain arrays: {error}",
            "write one with numpy.savez(file, prediction=…, label=…)",
        ) from None
    unknown = sorted(set(arrays) - {"prediction", "label", *optional})
    if unknown or not {"prediction", "label"} <= set(arrays):
        raise InputError(
            f"{file}: must hold prediction, label and optionally {', '.join(optional)} "
            f"(got {', '.join(arrays) or 'nothing'})"
        )
    return arrays


def from_file(file: Path) -> tuple[Element, ...]:
    """Elements from the arrays `prediction`, `label` and optional `weight`, `pos_weight`; nothing is unpickled."""
    arrays = read(file, OPTIONS)
    columns = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub" or array.size > LARGEST:
            raise InputError(
                f"{file}: {name} must hold at most {LARGEST} real numbers (got {array.size} {array.dtype})"
            )
        columns[name] = [_literal(value) for value in array.astype(np.float64).ravel().tolist()]
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) != 1 or not sizes["prediction"]:
        raise InputError(f"{file}: all arrays must have the same number of elements, at least 1 (got {sizes})")
    return tuple(
        Element(id=f"e{index}", **dict(zip(columns, row, strict=True)))
        for index, row in enumerate(zip(*columns.values(), strict=True))
    )


def _literal(value: float) -> str:
    return value.hex() if np.isfinite(value) else str(value)
