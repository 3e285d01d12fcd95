"""Your own loss, judged by the suite: `bce-conformance run --adapter docs/examples/my_loss.py --backend mine*`."""

from conformance.adapters import Adapter, Implementation
from conformance.contracts import Clip, Source

DOCS = "https://example.org/my-loss"  # where your documentation says it


def clipped(prediction, label):
    """Plain NumPy arrays in, one array out: no framework is needed."""
    import numpy as np

    low, high = np.asarray([1e-7, 1 - 1e-7], dtype=prediction.dtype)
    p = np.clip(prediction, low, high)
    return -(label * np.log(p) + (1 - label) * np.log1p(-p)).astype(prediction.dtype)


def clipped_gradient(prediction, label):
    """The gradient by the prediction; without one the quantity is counted as not offered."""
    import numpy as np

    low, high = np.asarray([1e-7, 1 - 1e-7], dtype=prediction.dtype)
    inside = (prediction >= low) & (prediction <= high) | np.isnan(prediction)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (1 - label) / (1 - prediction) - label / prediction
    return np.where(inside, slope, 0).astype(prediction.dtype)


def with_torch(prediction, label):
    """torch tensors in, one tensor out: dtypes and gradients come from the built-in adapter."""
    from torch.nn.functional import softplus

    return label * softplus(-prediction) + (1 - label) * softplus(prediction)


adapters = [
    Adapter(
        "mine",
        [
            Implementation(
                "clipped",
                "probabilities",
                clipped,
                dtypes=("float64", "float32"),
                contract=(Clip("1e-7", "0.9999999", Source("p is clipped to [1e-7, 1 - 1e-7]", DOCS)),),
                derivatives={"gradient-prediction": clipped_gradient},
            )
        ],
        backend="numpy",
    ),
    Adapter("mine-torch", [Implementation("two_softplus", "logits", with_torch)], backend="torch"),
]
