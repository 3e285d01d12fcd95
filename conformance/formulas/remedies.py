"""Formulas that do right what others do wrong: the same mathematics in steps that neither cancel nor absorb.

Each is the loss, whose derivatives by a framework's own differentiation are right as well, or, where `quantity` is
another, a formula for a kernel of its own.  How they are found: `reference.terms` writes every quantity with
log1p(exp(-|z|)) or exp(-|z|) and coefficients that do not change sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from conformance.formulas.catalogue import Given
from conformance.formulas.expression import (
    Expression,
    as_expression,
    const,
    eq,
    exp,
    ge,
    log,
    log1p,
    lt,
    maximum,
    minimum,
    where,
)

Build = Callable[[Given], "Expression | None"]


@dataclass(frozen=True)
class Right:
    """A formula for `quantity`; `build` returns None for options that it does not have."""

    name: str
    form: str
    quantity: str
    build: Build
    #: Why nothing is lost in it.
    why: str


#: The epsilon of Keras, keras.config.epsilon(), and the logarithms of what it clips to, in more digits than
#: are compared.
_EPS = const("1e-7")
_LOG_EPS = const("-16.11809565095831978812594018279054945320")
_LOG_REST = const("-1.00000005000000333333358333335333333500000014E-7")
#: Below Keras' epsilon and no less than the smallest number of float16, 2^-24: keeps 1/p finite where p is clipped.
_GUARD = const("6e-8")


def _labels(given: Given) -> tuple[Expression, Expression]:
    """The label and one less the label, each smoothed on its own: their sum is 1, and no digit is lost."""
    y = given.label
    if given.label_smoothing is None:
        return y, 1 - y
    keep, half = const(f"1.0 - {given.label_smoothing}"), const(f"0.5 * {given.label_smoothing}")
    return y * keep + half, (1 - y) * keep + half


def _plain(given: Given) -> bool:
    return given.gamma is None and given.alpha is None


def _weighted(x: Expression, given: Given) -> Expression:
    return x if given.weight is None else x * given.weight


def minus_magnitude(z: Expression) -> Expression:
    """-|z|, in a way that is differentiated right at 0: |z| has the derivative 0 there, in every framework."""
    return where(ge(z, 0), -z, z)


def _logits(given: Given) -> Expression:
    z, (y, rest) = given.prediction, _labels(given)
    positive = y if given.pos_weight is None else given.pos_weight * y
    soft = log1p(exp(minus_magnitude(z)))
    if given.pos_weight is not None:
        soft = (rest + positive) * soft
    return where(ge(z, 0), rest * z, -positive * z) + soft


def _loss_logits(given: Given) -> Expression | None:
    return _weighted(_logits(given), given) if _plain(given) else None


def _gradient_logits(given: Given) -> Expression | None:
    if not _plain(given):
        return None
    z, (y, rest) = given.prediction, _labels(given)
    positive = y if given.pos_weight is None else given.pos_weight * y
    e = exp(minus_magnitude(z))
    return _weighted(where(ge(z, 0), rest - positive * e, rest * e - positive) / (1 + e), given)


def _second_derivative_logits(given: Given) -> Expression | None:
    if not _plain(given):
        return None
    z, (y, rest) = given.prediction, _labels(given)
    e = exp(minus_magnitude(z))
    value = e / ((1 + e) * (1 + e))
    if given.pos_weight is not None:
        value = (rest + given.pos_weight * y) * value
    return _weighted(value, given)


def _focal_logits(given: Given) -> Expression | None:
    """1 - p_t as a sum of two terms, and no factor at all where gamma is 0: its derivative is 0*inf."""
    if given.pos_weight is not None or given.gamma is None:
        return None
    gamma = float(given.gamma)
    if 0 < gamma < 1:  # its derivative is infinite where 1 - p_t is 0
        return None
    z, (y, rest) = given.prediction, _labels(given)
    loss = _logits(Given(prediction=z, label=given.label, label_smoothing=given.label_smoothing))
    if gamma:
        loss = _wrong(z, y, rest) ** const(given.gamma) * loss
    return _weighted(_balanced(loss, y, rest, given), given)


def _balanced(loss: Expression, y: Expression, rest: Expression, given: Given) -> Expression:
    if given.alpha is None:
        return loss
    return (y * const(given.alpha) + rest * const(f"1 - {given.alpha}")) * loss


def _wrong(z: Expression, y: Expression, rest: Expression) -> Expression:
    """1 - p_t for p = sigmoid(z), as a sum of two terms."""
    e = exp(minus_magnitude(z))
    return where(ge(z, 0), y * e + rest, y + rest * e) / (1 + e)


def _clipped_logits(given: Given) -> Expression | None:
    """The loss of clip(sigmoid(z), eps, 1 - eps): its logarithms are -softplus(-z) and -softplus(z), clipped."""
    if given.pos_weight is not None or 0 < float(given.gamma or 0) < 1:
        return None
    z, (y, rest) = given.prediction, _labels(given)
    soft = log1p(exp(minus_magnitude(z)))
    log_p = minimum(maximum(where(ge(z, 0), 0, z) - soft, _LOG_EPS), _LOG_REST)
    log_rest = minimum(maximum(where(ge(z, 0), -z, 0) - soft, _LOG_EPS), _LOG_REST)
    loss = -(y * log_p + rest * log_rest)
    if float(given.gamma or 0):
        loss = _wrong(z, y, rest) ** const(str(given.gamma)) * loss
    return _weighted(_balanced(loss, y, rest, given), given)


def _log_of_rest(p: Expression, floor: Expression) -> Expression:
    """log(1 - p): by log1p where 1 - p would be rounded, by log where 1 - p is exact; `floor` keeps that above 0."""
    half = const("0.5")
    return where(lt(p, half), log1p(-minimum(p, half)), log(maximum(1 - p, floor)))


def _textbook(given: Given) -> Expression | None:
    """Without a clip; a term whose label is 0 is 0, also where the logarithm is infinite."""
    if not _plain(given) or given.pos_weight is not None:
        return None
    p, (y, rest) = given.prediction, _labels(given)
    positive = where(eq(y, 0), 0, y * log(where(eq(y, 0), 1, p)))
    negative = where(eq(rest, 0), 0, rest * log1p(where(eq(rest, 0), 0, -p)))
    return _weighted(-(positive + negative), given)


def _logarithms_clipped(p: Expression) -> tuple[Expression, Expression]:
    """log(q) and log(1 - q) of q = clip(p, eps, 1 - eps): the logarithms are clipped, where 1 - eps has no rounding."""
    log_p = minimum(maximum(log(maximum(p, _GUARD)), _LOG_EPS), _LOG_REST)
    log_rest = minimum(maximum(_log_of_rest(p, _GUARD), _LOG_EPS), _LOG_REST)
    return log_p, log_rest


def _clipped(given: Given) -> Expression | None:
    if not _plain(given) or given.pos_weight is not None:
        return None
    y, rest = _labels(given)
    log_p, log_rest = _logarithms_clipped(given.prediction)
    return _weighted(-(y * log_p + rest * log_rest), given)


def _focal_clipped(given: Given) -> Expression | None:
    """Keras' focal loss of probabilities: 1 - p_t as a sum of two terms."""
    if given.pos_weight is not None or given.gamma is None or 0 < float(given.gamma) < 1:
        return None
    p, (y, rest) = given.prediction, _labels(given)
    log_p, log_rest = _logarithms_clipped(p)
    loss = -(y * log_p + rest * log_rest)
    if float(given.gamma):
        loss = (y * (1 - p) + rest * p) ** const(given.gamma) * loss
    return _weighted(_balanced(loss, y, rest, given), given)


def _clipped_twice(given: Given) -> Expression | None:
    """The loss of log(q + eps) and log(1 - q + eps), where q = clip(p, eps, 1 - eps)."""
    return _shifted(given, maximum(given.prediction, _EPS), maximum(1 - given.prediction, _EPS))


def _shifted_only(given: Given) -> Expression | None:
    """The same without the clip."""
    return _shifted(given, given.prediction, 1 - given.prediction)


def _shifted(given: Given, low: Expression, high: Expression) -> Expression | None:
    """Logarithms of `low` + eps and `high` + eps, whose sum is 1, by what is small: next to 1 sums are rounded."""
    if not _plain(given) or given.pos_weight is not None:
        return None
    p, (y, rest) = given.prediction, _labels(given)
    half = const("0.5")
    log_p = where(lt(p, half), log(low + _EPS), log1p(_EPS - high))
    log_rest = where(lt(p, half), log1p(_EPS - low), log(high + _EPS))
    return _weighted(-(y * log_p + rest * log_rest), given)


def _gradient_bce(given: Given) -> Expression | None:
    """PyTorch's backward formula, but for 0/0 where 1e-12 is 0: without a difference there is no gradient."""
    if not _plain(given) or given.pos_weight is not None:
        return None
    p, (y, _) = given.prediction, _labels(given)
    slope = where(eq(p, y), as_expression(0), (p - y) / maximum((1 - p) * p, const("1e-12")))
    return _weighted(slope, given)


_TWO_TERMS = "two terms of one sign: nothing cancels"
_LOGARITHMS = "1 - p is taken where it is exact, log1p where it is not, and the logarithms are clipped, not p"
_SMALL = "p + eps next to 1 is rounded; log1p of what is missing there is not"

RIGHT: tuple[Right, ...] = (
    Right("where(z >= 0, (1 - y)*z, -y*z) + log1p(exp(-|z|))", "logits", "value", _loss_logits, _TWO_TERMS),
    Right("clipped logarithms of sigmoids", "logits", "value", _clipped_logits, _LOGARITHMS),
    Right("focal, 1 - p_t as a sum", "logits", "value", _focal_logits, _TWO_TERMS),
    Right(
        "where(z >= 0, (1 - y) - y*e, (1 - y)*e - y)/(1 + e), e = exp(-|z|)",
        "logits",
        "gradient-prediction",
        _gradient_logits,
        "sigmoid(z) - 1 is -e/(1 + e): the 1 is not rounded",
    ),
    Right(
        "e/((1 + e)*(1 + e)), e = exp(-|z|)",
        "logits",
        "second-derivative",
        _second_derivative_logits,
        "1 - sigmoid(z) is e/(1 + e): the 1 is not rounded",
    ),
    Right("xlogy(y, p) + xlog1py(1 - y, -p)", "probabilities", "value", _textbook, "log1p, and no 0*inf"),
    Right("logarithms clipped to [log(1e-7), log(1 - 1e-7)]", "probabilities", "value", _clipped, _LOGARITHMS),
    Right("log(q + eps) and log(1 - q + eps) by what is small", "probabilities", "value", _clipped_twice, _SMALL),
    Right("log(p + eps) and log(1 - p + eps) by what is small", "probabilities", "value", _shifted_only, _SMALL),
    Right("focal, 1 - p_t as a sum, logarithms clipped", "probabilities", "value", _focal_clipped, _LOGARITHMS),
    Right(
        "(p - y)/max((1 - p)*p, 1e-12), 0 where p = y",
        "probabilities",
        "gradient-prediction",
        _gradient_bce,
        "0/0 is not computed",
    ),
)
