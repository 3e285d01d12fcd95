"""What the documentation of PyTorch says of its losses."""

from __future__ import annotations

from conformance.contracts import CastsTo, DomainCheck, LogClamp, Reduction, Source

DOCS = "https://docs.pytorch.org/docs/2.13/"
PAGE = DOCS + "generated/torch.nn."
SOURCE = "https://github.com/pytorch/pytorch/blob/v2.13.0/"
KERNEL = SOURCE + "aten/src/ATen/native/Loss.cpp"
VERSIONS = "2.13.0"

LOG_CLAMP = LogClamp(
    -100.0,
    Source(
        "Our solution is that BCELoss clamps its log function outputs to be greater than or equal to -100.",
        PAGE + "BCELoss.html",
        VERSIONS,
    ),
)

LABEL_CHECK = DomainCheck(
    "label",
    "RuntimeError",
    Source(
        "Note that the targets y should be numbers between 0 and 1. "
        "(kernel: TORCH_CHECK((target_val >= 0) && (target_val <= 1), "
        '"all elements of target should be between 0 and 1"))',
        KERNEL,
        VERSIONS,
    ),
)

PREDICTION_CHECK = DomainCheck(
    "prediction",
    "RuntimeError",
    Source(
        "input: Tensor of arbitrary shape as probabilities. "
        "(kernel: TORCH_CHECK((input_val >= 0) && (input_val <= 1), "
        '"all elements of input should be between 0 and 1"))',
        KERNEL,
        VERSIONS,
    ),
)

#: What holds for binary_cross_entropy of probabilities, whatever it is called through.
CHECKS = (LOG_CLAMP, LABEL_CHECK, PREDICTION_CHECK)


def mean(page: str) -> Reduction:
    """The default reduction of a loss, as its `page` says."""
    return Reduction(
        "all",
        "elements",
        Source(
            "'mean': the sum of the output will be divided by the number of elements in the output [...] "
            "Default: 'mean'",
            PAGE + page,
            VERSIONS,
        ),
    )


MEAN_OF_OTHERS = Reduction(
    "all",
    "weights",
    Source(
        "Specifies a target value that is ignored and does not contribute to the input gradient. When size_average is "
        "True, the loss is averaged over non-ignored targets.",
        PAGE + "functional.cross_entropy.html",
        VERSIONS,
    ),
)

BATCH_MEAN = Reduction(
    "all",
    "elements",
    Source(
        r"Probabilities for each class [...] \frac{\sum_{n=1}^N l_n}{N}, & \text{if reduction} = \text{`mean';} "
        "[...] where [...] N spans the minibatch dimension",
        PAGE + "CrossEntropyLoss.html",
        VERSIONS,
    ),
)

#: float64 is left out of the implementations that declare it: "Ops that run in float64 or non-floating-point dtypes are
#: not eligible, and will run in these types whether or not autocast is enabled."
AUTOCAST = CastsTo(
    "float32",
    Source(
        "CPU Ops that can autocast to float32: avg_pool3d, binary_cross_entropy, grid_sampler, [...], "
        "multilabel_margin_loss, binary_cross_entropy_with_logits, fft_fft, [...]",
        DOCS + "amp.html#cpu-ops-that-can-autocast-to-float32",
        VERSIONS,
    ),
)

SUPPORT_CHECK = DomainCheck(
    "label",
    "ValueError",
    Source(
        "Samples are binary (0 or 1). (source: support = constraints.boolean; Distribution._validate_sample raises "
        'ValueError "Expected value argument [...] to be within the support [...] of the distribution")',
        SOURCE + "torch/distributions/bernoulli.py",
        VERSIONS,
    ),
)

PROBS_CHECK = DomainCheck(
    "prediction",
    "ValueError",
    Source(
        'probs (Number, Tensor): the probability of sampling 1. (source: arg_constraints = {"probs": '
        'constraints.unit_interval, ...}; Distribution.__init__ raises ValueError "Expected parameter probs [...] '
        'to satisfy the constraint")',
        SOURCE + "torch/distributions/bernoulli.py",
        VERSIONS,
    ),
)
