"""What was judged, as it was given, and the calls that show a finding again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.adapters.writing import filled
from conformance.plan.cases import Case
from conformance.quantities import BEHAVIOUR
from conformance.record.summary import Example


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What was judged, as it was given: name of the callable, form, backend, what it declares.

    `declared` holds the records, too.  `tensor` and `gradient` are those of a Runtime's `written`: how
    calls are written in this framework.
    """

    loss: str
    form: str
    backend: Any
    declared: Mapping[str, Any]
    tensor: str = ""
    gradient: str = ""

    def again(self, example: Example) -> str:
        """A call of `measure` that finds the example: what has no short literal is called as its argument is."""
        given = {"form": self.form, "backend": self.backend, **self.declared}
        words = [
            self.loss,
            *(f"{name}={value!r}" if _plain(value) else f"{name}={name}" for name, value in given.items()),
        ]
        words += [f"cases=[{example.case!r}]", f"dtypes=[{example.dtype!r}]"]
        if example.quantity not in BEHAVIOUR:  # which is about every call of a case
            words.append(f"quantities=[{example.quantity!r}]")
        return f"measure({', '.join(words)})"

    def call(self, example: Example, case: Case, dtypes: Mapping[str, str]) -> str:
        """The call of the loss, or of its gradient, that gives the example; "" where that is no matter of one line.

        `dtypes` names the tensors that have another dtype than the case's.
        """
        single = all(" " not in bits for _, bits in example.inputs.values())
        frames = {"value": "{loss}", "gradient-prediction": self.gradient}
        frame = frames.get(example.quantity, "")
        if not self.tensor or not frame or not single:
            return ""
        tensors = {
            name: _written(self.tensor, decimal, dtypes.get(name, example.dtype))
            for name, (decimal, _) in example.inputs.items()
        }
        prediction, label = tensors.pop("prediction"), tensors.pop("label")
        words = [f"{name}={tensor}" for name, tensor in tensors.items()]
        words += [f"{name}={number}" for name, number in case.parameters.items()]
        words += [f"reduction={case.reduction!r}"] if len(self.declared.get("reductions", ())) > 1 else []
        first = prediction if example.quantity == "value" else "prediction"
        loss = f"{self.loss}({', '.join((first, label, *words))})"
        return frame.format(loss=loss, prediction=prediction)


def _plain(value: Any) -> bool:
    """Whether a value is words and numbers, so that Python reads again what `repr` writes."""
    return all(map(_plain, value)) if isinstance(value, list | tuple) else isinstance(value, str | int | float)


def _written(tensor: str, decimal: str, dtype: str) -> str:
    """A tensor of one element in Python."""
    number = f"float({decimal!r})" if decimal.strip("-") in ("nan", "inf") else decimal
    return filled(tensor, numbers=str(decimal == "1") if dtype == "bool" else number, dtype=dtype)
