"""Formulas that frameworks, libraries and people use for this loss and its derivatives, each with its source.

A `Loss` says how the value is computed from a prediction, a label and the options of a case; its derivatives follow by
a framework's rules (`derivative`), unless the framework has a formula of its own.  `candidates` lists, for a quantity,
every different formula.  What the sources say are facts about the frameworks' code; which one an implementation
evaluates is decided by its results (`conformance.diagnosis`), never by its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from conformance.formulas.catalogue.focal import FOCAL
from conformance.formulas.catalogue.logits import LOGITS
from conformance.formulas.catalogue.loss import Candidate, Given, Loss, Options, promoted
from conformance.formulas.catalogue.mistakes import MISTAKES, NATURAL
from conformance.formulas.catalogue.probabilities import PROBABILITIES
from conformance.formulas.catalogue.reductions import reduced, shares
from conformance.formulas.catalogue.softmax import SOFTMAX
from conformance.formulas.derivative import RULES, derivative
from conformance.formulas.expression import Expression, const

__all__ = ["BY", "LOSSES", "MISTAKES", "Candidate", "Given", "Loss", "Options", "candidates"]

LOSSES: tuple[Loss, ...] = (*LOGITS, *SOFTMAX, *PROBABILITIES, *FOCAL, *NATURAL)

#: The input that a quantity is the derivative by.
BY = {
    "gradient-prediction": "prediction",
    "gradient-label": "label",
    "gradient-weight": "weight",
    "gradient-pos_weight": "pos_weight",
}
_NAMES = {
    "gradient-prediction": "dL/dx of",
    "gradient-label": "dL/dy of",
    "gradient-weight": "dL/dw of",
    "gradient-pos_weight": "dL/dc of",
    "second-derivative": "d2L/dx2 of",
}


@cache
def candidates(
    form: str,
    quantity: str,
    options: Options,
    promotes: bool = False,
    of: frozenset[str] | None = None,
    mistaken: bool = False,
) -> tuple[Candidate, ...]:
    """Every formula for `quantity`, the plainest first, each with a name of its own; of reductions those `of` elements.

    Those of LOSSES, or if `mistaken` of MISTAKES, which are asked for where none of the former gives the results.
    Under `promotes` an operation on inputs that are narrower than the prediction gives their dtype, and else a step's.

    Two may be one expression under some options and differ under others: what is evaluated once is told by the
    expression, what belongs together under several options by the name.
    """
    losses = (loss for loss in (MISTAKES if mistaken else LOSSES) if loss.form == form)
    if options.reduction or options.share:
        found = (
            one
            for loss in losses
            if of is None or any(name.startswith(_name(loss, quantity)) for name in of)
            for one in _reduced(form, loss.name, quantity, options)
            if of is None or one.of in of
        )
    else:
        given = options.given(form)
        found = (one for loss in losses for one in _of_loss(loss, quantity, given))
    if options.beside:
        beside = dict(options.beside)
        found = (replace(one, expression=promoted(one.expression, beside)) for one in found)
    elif promotes and options.narrower:
        narrower = dict(options.narrower)
        found = (replace(one, expression=promoted(one.expression, narrower, "")) for one in found)
    return tuple(found)


@cache
def _reduced(form: str, name: str, quantity: str, options: Options) -> tuple[Candidate, ...]:
    """The formulas of reductions of the loss of a name."""
    loss = next(one for one in (*LOSSES, *MISTAKES) if one.form == form and one.name == name)
    return tuple(_of_elements(loss, options) if options.reduction else _of_mean(loss, quantity, options))


def _name(loss: Loss, quantity: str) -> str:
    """What names of the formulas for a quantity begin with."""
    return loss.name if quantity == "value" else f"{_NAMES[quantity]} {loss.name}, by "


def _of_elements(loss: Loss, options: Options) -> Iterator[Candidate]:
    """The reduction of the loss of each element."""
    values = [loss.build(options.given(loss.form, str(number))) for number in range(options.terms)]
    terms = [one for one in values if one is not None]
    if len(terms) == options.terms:
        for words, expression in reduced(options.reduction, terms, options.single):
            yield Candidate(f"{loss.name}, {words}", expression, loss.source, loss.name)


def _of_mean(loss: Loss, quantity: str, options: Options) -> Iterator[Candidate]:
    """Derivatives of one loss of a mean."""
    for words, share in shares(options.share, options.single):
        for one in _of_loss(loss, quantity, replace(options.given(loss.form), share=share)):
            yield replace(one, name=f"{one.name}, times {words}", of=one.name)
    for one in _of_loss(loss, quantity, options.given(loss.form)):
        divided = one.expression / const(str(options.share))
        yield replace(one, name=f"{one.name}, divided by n", expression=divided, of=one.name)


def _of_loss(loss: Loss, quantity: str, given: Given) -> Iterator[Candidate]:
    value = loss.build(given)
    if value is None:
        return
    if quantity == "value":
        yield Candidate(loss.name, value, loss.source)
        return
    for words, expression in _derivatives(loss, value, quantity, given):
        yield Candidate(f"{_name(loss, quantity)}{words}", expression, loss.source)


def _derivatives(loss: Loss, value: Expression, quantity: str, given: Given) -> Iterator[tuple[str, Expression]]:
    """By the rules of frameworks, and those that a framework wrote by hand."""
    second = quantity == "second-derivative"
    first = "gradient-prediction" if second else quantity
    for rules in loss.rules:
        gradient = _derivative(value, first, given, (second and RULES[rules].gradient) or rules)
        found = _derivative(gradient, first, given, rules) if second else gradient
        if found is not None:
            yield rules, found
    for number, build in enumerate(loss.own.get(quantity, ()), 1):
        found = build(given)
        if found is not None:
            yield f"its own formula {number}", found
    if second and quantity not in loss.own:
        for number, build in enumerate(loss.own.get(first, ()), 1):
            for rules in loss.rules:
                found = _derivative(build(given), first, given, rules)
                if found is not None:
                    yield f"its own gradient {number} and {rules}", found


def _derivative(x: Expression | None, quantity: str, given: Given, rules: str) -> Expression | None:
    by = getattr(given, BY[quantity])
    return None if by is None or x is None else derivative(x, str(by.name), RULES[rules])
