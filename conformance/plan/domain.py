"""Where the inputs of a case lie, and what follows from it: what is expected of an implementation there."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance import contracts
from conformance.numbers.formats import decode, encode
from conformance.plan.inputs import Inputs


def expectations(inputs: Inputs, contract: contracts.Contract) -> tuple[str, ...]:
    """What is expected of each element: value, reject, either or observe.

    Without a word of the case: `value` inside the domain, `either` where a label or a probability lies outside [0, 1]
    or is NaN, and `reject` where the contract documents a check of that input.
    """
    prediction, label = inputs.values["prediction"], inputs.values["label"]
    outside = {"label": _outside(label), "prediction": _outside(prediction)}
    if inputs.case.form == "logits":
        outside["prediction"] = np.zeros_like(outside["prediction"])
    loose = outside["label"] | outside["prediction"] | np.isnan(label) | np.isnan(prediction)
    checked = np.zeros_like(loose)
    cast = contracts.find(contract, "casts_to")
    for one in contract:
        if one.name == "domain_check":
            # What is checked is the input after a documented cast, which may round it into the domain.
            seen = inputs.values[one.checked]
            checked |= outside[one.checked] & _outside(decode(encode(seen, cast.dtype)) if cast else seen)
    implied = np.where(checked, "reject", np.where(loose, "either", "value")).tolist()
    words = []
    for element, word in zip(inputs.elements, implied, strict=True):
        given = element.expect or inputs.case.expect
        words.append(word if given is None or (given == "either" and word == "reject") else given)
    return tuple(words)


def _outside(values: Any) -> Any:
    return (values < 0) | (values > 1)


#: Where inputs lie, the plainest first; `shapes` and `any` are of presentations and of what no number decides.
REGIONS = ("ordinary", "saturated", "outside", "shapes", "any", "infinite", "nan")


def regions(inputs: Inputs) -> tuple[str, ...]:
    """Where the exact inputs of each element lie; part of a cause's id, so coarse and independent of the dtype."""
    prediction, label = inputs.values["prediction"], inputs.values["label"]
    both = np.stack([prediction, label])
    outside = _outside(label)
    saturated = np.zeros_like(outside)
    if inputs.case.form == "probabilities":
        outside |= _outside(prediction)
        saturated = (prediction == 0) | (prediction == 1)
    words = np.select(
        [np.isnan(both).any(axis=0), np.isinf(both).any(axis=0), outside, saturated],
        ["nan", "infinite", "outside", "saturated"],
        "ordinary",
    )
    return tuple(words.tolist())
