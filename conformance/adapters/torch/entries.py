"""The entry points of PyTorch, and what each one is declared to do."""

from __future__ import annotations

import functools
from typing import Any, Iterator, List, Tuple

from conformance.adapters import ALL_DTYPES, Implementation, whole
from conformance.adapters.torch.calls import (
    Public,
    cross_entropy,
    cross_entropy_of_index,
    log_prob,
    multilabel_soft_margin_loss,
    of_module,
    soft_margin_loss,
)
from conformance.adapters.torch.contracts import (
    AUTOCAST,
    BATCH_MEAN,
    CHECKS,
    DOCS,
    MEAN_OF_OTHERS,
    PAGE,
    PROBS_CHECK,
    SUPPORT_CHECK,
    mean,
)
from conformance.adapters.torch.modes import DECLARED, DEVICE

REDUCTIONS = ("none", "mean", "sum")

PROBABILITIES = "nn.functional.binary_cross_entropy"
LOGITS = "nn.functional.binary_cross_entropy_with_logits"

#: One call for all modes, so that what is prepared for one implementation is found again by its call.
CALLS = {PROBABILITIES: Public(PROBABILITIES), LOGITS: Public(LOGITS)}


def _functions(mode: str) -> Iterator[Implementation]:
    """Both functions of torch.nn.functional in one execution mode."""
    reductions = ("none",) if mode == "vmap" else REDUCTIONS
    autocast = mode == "autocast"
    for entry, form, options, fields, page, counterpart in (
        (PROBABILITIES, "probabilities", ("weight",), CHECKS, "BCELoss.html", LOGITS),
        (LOGITS, "logits", ("weight", "pos_weight"), (), "BCEWithLogitsLoss.html", PROBABILITIES),
    ):
        contract: Tuple[Any, ...] = fields
        if len(reductions) > 1:
            contract += (mean(page),)
        if autocast and DEVICE == "cpu":
            contract += (AUTOCAST,)
        yield Implementation(
            entry,
            form,
            CALLS[entry],
            dtypes=tuple(one for one in ALL_DTYPES if one != "float64") if autocast else ALL_DTYPES,
            options=options,
            reductions=reductions,
            contract=contract,
            mode=mode,
            device=DEVICE,
            link=PAGE + entry[len("nn.") :] + ".html",
            counterpart=counterpart,
        )


OTHERS = [
    Implementation(
        "nn.BCELoss",
        "probabilities",
        functools.partial(of_module, "BCELoss"),
        options=("weight",),
        reductions=REDUCTIONS,
        contract=(*CHECKS, mean("BCELoss.html")),
        device=DEVICE,
        link=PAGE + "BCELoss.html",
        counterpart="nn.BCEWithLogitsLoss",
    ),
    Implementation(
        "nn.BCEWithLogitsLoss",
        "logits",
        functools.partial(of_module, "BCEWithLogitsLoss"),
        options=("weight", "pos_weight"),
        reductions=REDUCTIONS,
        contract=(mean("BCEWithLogitsLoss.html"),),
        device=DEVICE,
        link=PAGE + "BCEWithLogitsLoss.html",
        counterpart="nn.BCELoss",
    ),
    Implementation(
        "nn.functional.soft_margin_loss",
        "logits",
        soft_margin_loss,
        reductions=REDUCTIONS,
        contract=(mean("SoftMarginLoss.html"),),
        device=DEVICE,
        link=PAGE + "functional.soft_margin_loss.html",
        labels="hard",
    ),
    Implementation(
        "nn.functional.multilabel_soft_margin_loss",
        "logits",
        multilabel_soft_margin_loss,
        reductions=REDUCTIONS,
        contract=(mean("MultiLabelSoftMarginLoss.html"),),
        device=DEVICE,
        link=PAGE + "functional.multilabel_soft_margin_loss.html",
    ),
    Implementation(
        "nn.functional.cross_entropy",
        "logits",
        cross_entropy,
        reductions=REDUCTIONS,
        contract=(BATCH_MEAN,),
        device=DEVICE,
        link=PAGE + "functional.cross_entropy.html",
        parameters=("label_smoothing",),
    ),
    Implementation(
        "nn.functional.cross_entropy[ignore_index]",
        "logits",
        cross_entropy_of_index,
        options=("weight",),
        reductions=REDUCTIONS,
        contract=(MEAN_OF_OTHERS,),
        device=DEVICE,
        link=PAGE + "functional.cross_entropy.html",
        labels="hard",
        masks=True,
    ),
    Implementation(
        "distributions.Bernoulli",
        "probabilities",
        functools.partial(log_prob, "probs"),
        contract=(SUPPORT_CHECK, PROBS_CHECK),
        device=DEVICE,
        link=DOCS + "distributions.html#bernoulli",
        labels="hard",
        counterpart="distributions.Bernoulli[logits]",
    ),
    Implementation(
        "distributions.Bernoulli[logits]",
        "logits",
        functools.partial(log_prob, "logits"),
        contract=(SUPPORT_CHECK,),
        device=DEVICE,
        link=DOCS + "distributions.html#bernoulli",
        labels="hard",
        counterpart="distributions.Bernoulli",
    ),
]


def implementations() -> List[Implementation]:
    """Every entry point in every mode that it is run in."""
    return [*(one for mode in whole(DECLARED) for one in _functions(mode)), *OTHERS]
