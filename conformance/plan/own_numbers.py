"""A reader's own numbers as a case: literals, or arrays of a file in their dtypes and shapes.  Raises InputError."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np

from conformance import regular
from conformance.adapters import ALL_DTYPES, PARAMETERS
from conformance.errors import InputError
from conformance.numbers import literals
from conformance.plan.cases import OPTIONS, Case, Element, OtherDType, OtherTensor
from conformance.quantities import VALUE
from reference.bce import check_parameters

#: Largest array that is taken from a file.
LARGEST = 1 << 20
#: Most bytes of a whole file, unpacked: five arrays of that many float64, and their headers.
MAX_BYTES = 5 * 8 * LARGEST + (1 << 16)

#: The next step of whoever named something else.
_WRITE = "write one with numpy.savez(file, prediction=…, label=…)"

#: dtypes that a label or an option can be handed over in.
DTYPES = get_args(OtherDType)

#: dtype of the prediction where neither a file nor the reader says one: what most people train in.
PLAIN = "float32"


@dataclass(frozen=True)
class Given:
    """What a reader gave: elements, the dtype of the prediction, those of the others, and the shapes.

    `dtypes_of` names the tensors that have another dtype than the prediction.  `present` is a presentation
    (`presentations`), and empty where all arrays have one shape of one dimension.  `parameters` are numbers of the
    whole call.
    """

    elements: tuple[Element, ...]
    dtype: str = PLAIN
    dtypes_of: Mapping[OtherTensor, OtherDType] = field(default_factory=dict)
    present: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    def case(self, form: str, dtypes: tuple[str, ...], reduction: str) -> Case:
        """The numbers as a case in `dtypes`, without any in the dtype of the prediction.

        Tensors of another dtype stay as they were given.  Where shapes or dtypes differ an implementation may refuse,
        which is as good as the loss of as many elements; the value is all that is asked of a reduced presentation.
        """
        others = [word for word in self.present.split() if word in ("label", *OPTIONS)]
        given: dict[str, Any] = {"form": form, "dtypes": dtypes or (self.dtype,), "reduction": reduction}
        if self.present:
            given["present"] = (self.present,)
            given |= {"quantities": ("value",)} if reduction != "none" else {}
        return Case(
            id="tried/numbers",
            why="numbers that a reader tried",
            flags=(),
            elements=self.elements,
            dtypes_of=dict(self.dtypes_of),
            parameters=dict(self.parameters),
            expect="either" if self.dtypes_of or others else None,
            **given,
        )


def from_words(predictions: tuple[str, ...], labels: tuple[str, ...], settings: tuple[str, ...]) -> Given:
    """Elements of as many predictions as labels, and of options, NAME=VALUE, that all of them have."""
    if not predictions or len(predictions) != len(labels):
        raise InputError(
            f"as many --label as --prediction are needed (got {len(predictions)} predictions, {len(labels)} labels)"
        )
    values = named(settings, (*OPTIONS, *PARAMETERS))
    for number in (*predictions, *labels):
        _must_be_literal(number)
    options = {name: value for name, value in values.items() if name in OPTIONS}
    elements = (
        Element(id=f"e{index}", prediction=p, label=y, **options)
        for index, (p, y) in enumerate(zip(predictions, labels, strict=True))
    )
    return Given(tuple(elements), parameters={name: values[name] for name in values.keys() - options.keys()})


def named(settings: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """The numbers of NAME=VALUE, each of one of some names; parameters must be those that the reference takes."""
    values: dict[str, Any] = {}
    for text in settings:
        name, separator, value = text.partition("=")
        if name not in names or not separator:
            raise InputError(f"--option must be one of {', '.join(names)} with =VALUE (got {text!r})")
        _must_be_literal(value)
        values[name] = value
    try:
        numbers = {name: float(literals.rational(value)) for name, value in values.items() if name in PARAMETERS}
        check_parameters(VALUE, **{name: numbers.get(name) for name in PARAMETERS})
    except ValueError as error:
        raise InputError(f"--option {error}") from None
    return values


def _must_be_literal(number: str) -> None:
    try:
        literals.check(number)
    except literals.LiteralError as error:
        raise InputError(str(error)) from None


def read(file: Path, optional: Sequence[str]) -> dict[str, Any]:
    """The arrays `prediction`, `label` and those of `optional` that an .npz file has; nothing is unpickled.

    Raises InputError for what is no regular file, too large, damaged, or holds other arrays.
    """
    arrays = _arrays_of(file)
    unknown = sorted(set(arrays) - {"prediction", "label", *optional})
    if unknown or not {"prediction", "label"} <= set(arrays):
        raise InputError(
            f"{file}: must hold prediction, label and optionally {', '.join(optional)} "
            f"(got {', '.join(arrays) or 'nothing'})",
            _WRITE,
        )
    return arrays


def _arrays_of(file: Path) -> dict[str, Any]:
    """The arrays of an .npz file by name, unpacked where all of them together are small enough."""
    data = regular.content(file, _WRITE)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size <= MAX_BYTES:
            with np.load(io.BytesIO(data), allow_pickle=False) as loaded:
                return {name: loaded[name] for name in loaded.files}
    except Exception as error:  # as many ways as zipfile, zlib, tokenize and NumPy can raise for a damaged archive
        raise InputError(
            f"{file}: is no .npz file of plain arrays: {type(error).__name__}: {error}",
            _WRITE,
        ) from None
    raise InputError(f"{file}: must unpack to at most {MAX_BYTES} bytes (got {size})", "give a part of it")


def from_file(file: Path, settings: Sequence[str] = ()) -> Given:
    """The arrays `prediction`, `label` and optional `weight`, `pos_weight` as they are, with parameters, NAME=VALUE."""
    parameters = named(settings, PARAMETERS)
    arrays = read(file, OPTIONS)
    for name, array in arrays.items():
        taken = ALL_DTYPES if name == "prediction" else DTYPES
        if array.dtype.name not in taken or array.size > LARGEST:
            raise InputError(
                f"{file}: {name} must hold at most {LARGEST} numbers of {', '.join(taken)} "
                f"(got {array.size} of {array.dtype})"
            )
    shapes = {name: array.shape for name, array in arrays.items()}
    count = max(array.size for array in arrays.values())
    if not all(array.size for array in arrays.values()):
        raise InputError(f"{file}: every array must have at least 1 element (got {shapes})")
    columns = {name: np.resize(_literals(array), count).tolist() for name, array in arrays.items()}
    dtype = arrays["prediction"].dtype.name
    return Given(
        tuple(
            Element(id=f"e{index}", **dict(zip(columns, row, strict=True)))
            for index, row in enumerate(zip(*columns.values(), strict=True))
        ),
        dtype,
        {name: array.dtype.name for name, array in arrays.items() if array.dtype.name != dtype},
        _presentation(shapes),
        parameters,
    )


def _presentation(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The shapes as a case writes them; nothing where all are one shape of one dimension."""
    shape = shapes["prediction"]
    others = [f"{name} {_written(one)}" for name, one in shapes.items() if one != shape]
    return " ".join([_written(shape), *others]) if others or len(shape) != 1 else ""


def _written(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _literals(array: Any) -> Any:
    """The numbers of an array, in order, as text that stands for exactly them."""
    numbers = array.ravel().tolist()  # Python numbers, which are exact for every dtype that is taken
    if array.dtype.kind != "f":
        return np.array([str(int(number)) for number in numbers], dtype=object)
    return np.array([one.hex() if np.isfinite(one) else str(one) for one in numbers], dtype=object)
