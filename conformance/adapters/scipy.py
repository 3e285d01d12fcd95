"""SciPy and scikit-learn: the compositions of special functions that people write, and the one metric.

SciPy has no binary cross-entropy, hence no contract: each composition is judged against the ideal alone.  In every
one a product with the label is left to a function that knows 0 log 0, or to terms that stay finite.
`sklearn.metrics.log_loss` clips probabilities to [eps, 1 - eps], "where `eps` is the machine precision for `y_proba`'s
dtype" (its docstring, 1.9): bounds that differ from dtype to dtype, which a contract's clip cannot say.
"""

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import WRITTEN, NumPyRuntime
from conformance.numbers.formats import Tensor

SPECIAL = "https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.%s.html"
BERNOULLI = "https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.bernoulli.html"
LOG_LOSS = "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.log_loss.html"


class SciPyRuntime(NumPyRuntime):
    """NumPy arrays in SciPy's functions."""

    packages = ("numpy", "scipy")  # type: ignore[assignment]
    written = WRITTEN._replace(modules=dict(WRITTEN.modules, **{"scipy": "import scipy.special\nimport scipy.stats"}))

    def open(self) -> None:
        import scipy.special
        import scipy.stats  # noqa: F401


class ScikitLearnRuntime(NumPyRuntime):
    """NumPy arrays in scikit-learn's metrics."""

    packages = ("numpy", "scipy", "sklearn")  # type: ignore[assignment]
    written = WRITTEN._replace(
        modules=dict(WRITTEN.modules, sklearn="import sklearn.metrics"), number="{result}", dtype='"float64"'
    )

    def open(self) -> None:
        import sklearn.metrics  # noqa: F401

    def bits(self, native: Any) -> Tensor:
        """Those of an array, or of the metric's Python float, which is a float64."""
        return super().bits(np.float64(native) if type(native) is float else native)


def xlogy(prediction: Any, label: Any) -> Any:
    """-(xlogy(y, p) + xlog1py(1 - y, -p)): 0 log 0 is 0, and 1 - p is not rounded."""
    from scipy import special

    return -(special.xlogy(label, prediction) + special.xlog1py(1 - label, -prediction))


def rel_entr(prediction: Any, label: Any) -> Any:
    """Entropy of the label plus its Kullback-Leibler divergence from the prediction."""
    from scipy import special

    entropy = special.entr(label) + special.entr(1 - label)
    return entropy + special.rel_entr(label, prediction) + special.rel_entr(1 - label, 1 - prediction)


def bernoulli(prediction: Any, label: Any) -> Any:
    """Negative log-likelihood of a Bernoulli variable, whose values are 0 and 1."""
    from scipy import stats

    return -stats.bernoulli.logpmf(label, prediction)


def log_expit(prediction: Any, label: Any) -> Any:
    """The textbook formula with log_expit of z and of -z for the two logarithms."""
    from scipy import special

    return -(label * special.log_expit(prediction) + (1 - label) * special.log_expit(-prediction))


def softplus(prediction: Any, label: Any) -> Any:
    """What the textbook formula simplifies to, softplus of z less z y."""
    from scipy import special

    return special.softplus(prediction) - prediction * label


def logaddexp(prediction: Any, label: Any) -> Any:
    """The same, with softplus as it was written before SciPy had it."""
    return np.logaddexp(np.zeros((), dtype=prediction.dtype), prediction) - prediction * label


def expit_gradient(prediction: Any, label: Any) -> Any:
    """expit(z) - y, the derivative of the logit forms."""
    from scipy import special

    return special.expit(prediction) - label


def log_loss(prediction: Any, label: Any, reduction: str, weight: Any = None) -> Any:
    """The metric, of two classes that are named, as a batch may lack one."""
    from sklearn import metrics

    return metrics.log_loss(label, prediction, labels=[0, 1], normalize=reduction == "mean", sample_weight=weight)


BY_EXPIT: Dict[str, Any] = {"gradient-prediction": expit_gradient}

adapters = [
    Adapter(
        "scipy",
        [
            Implementation("special.xlogy", "probabilities", xlogy, link=SPECIAL % "xlogy", main=True),
            Implementation("special.rel_entr", "probabilities", rel_entr, link=SPECIAL % "rel_entr"),
            Implementation("stats.bernoulli.logpmf", "probabilities", bernoulli, labels="hard", link=BERNOULLI),
            Implementation("special.log_expit", "logits", log_expit, derivatives=BY_EXPIT, link=SPECIAL % "log_expit"),
            Implementation("special.softplus", "logits", softplus, derivatives=BY_EXPIT, link=SPECIAL % "softplus"),
            Implementation("logaddexp", "logits", logaddexp, derivatives=BY_EXPIT),
        ],
        backend=SciPyRuntime(),
    ),
    Adapter(
        "sklearn",
        [
            # No unreduced loss exists.  bfloat16 arrays raise TypeError, as no dtype of the metric.
            Implementation(
                "metrics.log_loss",
                "probabilities",
                log_loss,
                dtypes=("float64", "float32", "float16"),
                options=("weight",),
                reductions=("mean", "sum"),
                labels="hard",
                link=LOG_LOSS,
            )
        ],
        backend=ScikitLearnRuntime(),
    ),
]
