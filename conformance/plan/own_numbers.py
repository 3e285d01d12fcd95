"""A reader's own numbers as elements of a case: literals, or arrays of a file.  Raises InputError."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from conformance import regular
from conformance.errors import InputError
from conformance.numbers import literals
from conformance.plan.cases import OPTIONS, Element

#: Largest array that is taken from a file, and the bytes that one has at most, whatever its dtype, with its header.
LARGEST = 1 << 20
LARGEST_MEMBER = 17 * LARGEST


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


def from_file(file: Path) -> tuple[Element, ...]:
    """Elements from the arrays `prediction`, `label` and optional `weight`, `pos_weight`; nothing is unpickled."""
    arrays = _arrays_of(file)
    unknown = sorted(set(arrays) - {"prediction", "label", *OPTIONS})
    if unknown or not {"prediction", "label"} <= set(arrays):
        raise InputError(
            f"{file}: must hold prediction, label and optionally {', '.join(OPTIONS)} (got {list(arrays)})"
        )
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


def _arrays_of(file: Path) -> dict[str, Any]:
    """The arrays of an .npz file by name.  Raises InputError for anything else."""
    data = regular.content(file)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            for member in packed.infolist():
                if member.file_size > LARGEST_MEMBER:
                    raise ValueError(f"{member.filename} must have at most {LARGEST_MEMBER} bytes (got more)")
        with np.load(io.BytesIO(data), allow_pickle=False) as loaded:
            return {name: loaded[name] for name in loaded.files}
    except (
        Exception
    ) as error:  # an archive can be damaged in as many ways as zipfile, zlib, tokenize and NumPy can raise
        raise InputError(f"{file}: is no .npz file of plain arrays: {type(error).__name__}: {error}") from None


def _literal(value: float) -> str:
    return value.hex() if np.isfinite(value) else str(value)
