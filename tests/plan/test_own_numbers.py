"""A reader's arrays reach the implementations in the dtypes and shapes that they have in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from conformance.cli import main
from conformance.errors import InputError
from conformance.numbers.formats import decode
from conformance.plan.cases import Case, load_files
from conformance.plan.inputs import Inputs
from conformance.plan.own_numbers import from_file

P = (0.25, 0.75, 0.125, 0.5)
Y = (0, 1, 1, 0)


def case(tmp_path: Path, *, dtypes: tuple[str, ...] = (), reduction: str = "none", **arrays: Any) -> Case:
    """The case that a file of these arrays becomes."""
    np.savez(tmp_path / "numbers.npz", **arrays)
    return from_file(tmp_path / "numbers.npz").case("probabilities", dtypes, reduction)


def tried(tmp_path: Path, *words: str, **arrays: Any) -> Result:
    """`try` on a file of these arrays, by the textbook formula on NumPy."""
    np.savez(tmp_path / "numbers.npz", **arrays)
    given = ["try", "--form", "probabilities", "--input", str(tmp_path / "numbers.npz"), "--backend", "numpy"]
    return CliRunner().invoke(main, [*given, "--quantity", "value", *words])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arrays_of_one_dtype_and_dimension_are_judged_in_their_own_dtype(tmp_path: Path, dtype: str) -> None:
    """No array becomes float32 unless the reader asks for that."""
    one = case(tmp_path, prediction=np.array(P, dtype), label=np.array(Y, dtype))
    assert (one.dtypes, one.dtypes_of, one.present, one.expect) == ((dtype,), {}, (), None)


def test_the_dtype_that_is_asked_for_is_that_of_the_prediction(tmp_path: Path) -> None:
    """What has a dtype of its own keeps it."""
    one = case(tmp_path, dtypes=("float16", "float32"), prediction=np.array(P), label=np.array(Y, np.int64))
    assert (one.dtypes, one.dtypes_of) == (("float16", "float32"), {"label": "int64"})


@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8", "float64"])
def test_a_label_of_another_dtype_is_handed_over_in_it(tmp_path: Path, dtype: str) -> None:
    """An implementation may then refuse it, or cast."""
    one = case(tmp_path, prediction=np.array(P, np.float32), label=np.array(Y).astype(dtype))
    tensors = Inputs(one, "float32").tensors
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {"prediction": "float32", "label": dtype}
    assert decode(tensors["label"]).tolist() == list(Y)
    assert one.expect == "either"


@pytest.mark.parametrize(
    ("shape", "label", "weight", "present"),
    [
        ((4,), (4, 1), (4,), "4 label 4x1"),
        ((2, 2), (2, 2), (2,), "2x2 weight 2"),
        ((2, 2), (2, 2), (2, 2), "2x2"),
        ((4,), (), (4,), "4 label scalar"),
        ((), (), (), "scalar"),
    ],
)
def test_shapes_are_those_of_the_file(
    tmp_path: Path, shape: tuple[int, ...], label: tuple[int, ...], weight: tuple[int, ...], present: str
) -> None:
    """Every tensor of the call has the shape and, in order, the numbers of its array."""
    rng = np.random.default_rng(1)
    shapes = {"prediction": shape, "label": label, "weight": weight}
    arrays = {name: rng.integers(1, 9, one) / 16 for name, one in shapes.items()}
    one = case(tmp_path, **arrays)
    assert one.present == (present,)
    values = Inputs(one, "float64").values
    (presented,) = one.presentations
    for name, array in arrays.items():
        assert presented.shape_of(name) == shapes[name]
        assert values[name][presented.elements_of(name, len(one.elements))].tolist() == array.tolist()


def test_a_label_column_is_no_row_of_labels(tmp_path: Path) -> None:
    """(4,) and (4,1) broadcast to 16 losses in NumPy: that is no loss of four elements."""
    done = tried(tmp_path, prediction=np.array(P), label=np.array(Y, float).reshape(4, 1))
    assert "✗ numpy/log_textbook" in done.stdout, done.output
    done = tried(tmp_path, prediction=np.array(P), label=np.array(Y, float))
    assert "✓ numpy/log_textbook" in done.stdout, done.output


def test_the_worst_of_many_elements_in_two_dimensions_is_found_by_its_place(tmp_path: Path) -> None:
    """A batch has a place where to look."""
    prediction = np.full((4, 10), 0.5)
    prediction[2, 3] = 1e-9  # log(1 - p) keeps half of its digits there
    done = tried(tmp_path, prediction=prediction, label=np.zeros((4, 10)))
    assert "position 23, e23" in done.stdout, done.output


def test_what_is_saved_has_the_dtypes_and_shapes_again(tmp_path: Path) -> None:
    """The case file lints and says the same case."""
    arrays = {"prediction": np.array(P, np.float16), "label": np.array(Y, bool).reshape(2, 2)}
    done = tried(tmp_path, "--save", str(tmp_path / "mine.yaml"), **arrays)
    assert done.exit_code == 0, done.output
    ((saved,), one) = (load_files([tmp_path / "mine.yaml"], {}), case(tmp_path, **arrays))
    for name in ("dtypes", "dtypes_of", "present", "expect"):
        assert getattr(saved.case, name) == getattr(one, name)
    assert Inputs(saved.case, "float16").tensors["prediction"].bits.tolist() == [
        *Inputs(one, "float16").tensors["prediction"].bits.tolist()
    ]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"prediction": np.array([1, 0]), "label": np.array([1.0, 0.0])}, "prediction must hold .* int64"),
        ({"prediction": np.array([0.5]), "label": np.array([1], np.uint64)}, "label must hold .* uint64"),
        ({"prediction": np.array([]), "label": np.array([])}, r"at least 1 element .*\(0,\)"),
    ],
)
def test_arrays_that_no_case_can_have_are_refused_by_name(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    """The message says which array, what it may hold and what it holds."""
    with pytest.raises(InputError, match=said):
        case(tmp_path, **arrays)
