"""The exact mathematics of a quantity as a formula, for people and for Python.

z is a logit, p a probability, y the label, w the weight, q pos_weight; softplus(x) = log(1 + exp(x)) and
sigmoid(x) = 1/(1 + exp(-x)).  Definitions: docs/reference.md.
"""

from __future__ import annotations

import math

from conformance.plan.inputs import Inputs

#: Formulas by form and quantity, for a loss with weight w and pos_weight q.
FORMULAS = {
    ("logits", "value"): "w*(q*y*softplus(-z) + (1 - y)*softplus(z))",
    ("logits", "gradient-prediction"): "w*((1 - y)*sigmoid(z) - q*y*sigmoid(-z))",
    ("logits", "gradient-label"): "w*(q*softplus(-z) - softplus(z))",
    ("logits", "gradient-weight"): "q*y*softplus(-z) + (1 - y)*softplus(z)",
    ("logits", "gradient-pos_weight"): "w*y*softplus(-z)",
    ("logits", "second-derivative"): "w*(q*y + 1 - y)*sigmoid(z)*sigmoid(-z)",
    ("probabilities", "value"): "-w*(q*y*log(p) + (1 - y)*log(1 - p))",
    ("probabilities", "gradient-prediction"): "w*((1 - y)/(1 - p) - q*y/p)",
    ("probabilities", "gradient-label"): "w*(log(1 - p) - q*log(p))",
    ("probabilities", "gradient-weight"): "-(q*y*log(p) + (1 - y)*log(1 - p))",
    ("probabilities", "gradient-pos_weight"): "-w*y*log(p)",
    ("probabilities", "second-derivative"): "w*(q*y/p**2 + (1 - y)/(1 - p)**2)",
}

#: The same without weights.
PLAIN = {
    ("logits", "value"): "y*softplus(-z) + (1 - y)*softplus(z)",
    ("logits", "gradient-prediction"): "sigmoid(z) - y",
    ("logits", "gradient-label"): "-z",
    ("logits", "second-derivative"): "sigmoid(z)*sigmoid(-z)",
    ("probabilities", "value"): "-(y*log(p) + (1 - y)*log(1 - p))",
    ("probabilities", "gradient-prediction"): "(p - y)/(p*(1 - p))",
    ("probabilities", "gradient-label"): "log(1 - p) - log(p)",
    ("probabilities", "second-derivative"): "y/p**2 + (1 - y)/(1 - p)**2",
}

#: What is left of them at a label of 0 or 1.
AT_LABEL = {
    ("logits", "value", "0"): "log(1 + exp(z))",
    ("logits", "value", "1"): "log(1 + exp(-z))",
    ("logits", "gradient-prediction", "0"): "1/(1 + exp(-z))",
    ("logits", "gradient-prediction", "1"): "-1/(1 + exp(z))",
    ("probabilities", "value", "0"): "-log(1 - p)",
    ("probabilities", "value", "1"): "-log(p)",
    ("probabilities", "gradient-prediction", "0"): "1/(1 - p)",
    ("probabilities", "gradient-prediction", "1"): "-1/p",
    ("probabilities", "second-derivative", "0"): "1/(1 - p)**2",
    ("probabilities", "second-derivative", "1"): "1/p**2",
}

#: What the functions in them are.
WHERE = {"softplus": "softplus(x) = log(1 + exp(x))", "sigmoid": "sigmoid(x) = 1/(1 + exp(-x))"}

#: How each name of a case is called in them.
LETTERS = {"logits": "z", "probabilities": "p", "label": "y", "weight": "w", "pos_weight": "q"}

#: How the numbers for the whole call change them.
PARAMETERS = {
    "label_smoothing": "y is the label*(1 - s) + s/2 with s = {}",
    "gamma": "times (1 - p_t)**{}, where p_t is the probability of the label (a focal loss)",
    "alpha": "times y*a + (1 - y)*(1 - a) with a = {}",
}


def no_value(inputs: Inputs) -> str:
    """Why the loss and its derivatives have no value at an element, so that NaN, or an exception, is expected."""
    inside = inputs.values["prediction"]
    numbers = [float(one) for values in inputs.values.values() for one in values]
    if any(math.isnan(one) for one in numbers):
        return "an input is NaN"
    if inputs.case.form == "probabilities" and not all(0 <= float(one) <= 1 for one in inside):
        return f"p = {float(inside[0]):g} is no probability, and its logarithm, or that of 1 - p, has no value"
    return "the terms of the formula are inf - inf or 0*inf"


def formula(inputs: Inputs, quantity: str) -> str:
    """The formula of a quantity at a single element, with what its names stand for."""
    case = inputs.case
    key = (case.form, quantity)
    if case.options or key not in PLAIN:
        text = FORMULAS[key]
    else:
        label = case.elements[0].label if len(case.elements) == 1 and not case.parameters else ""
        text = AT_LABEL.get((*key, label), PLAIN[key])
    words = [text, *(meaning for name, meaning in WHERE.items() if name in text)]
    words += [PARAMETERS[name].format(f"{value:g}") for name, value in inputs.parameters.items()]
    return "; ".join(words)
