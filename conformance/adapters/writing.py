"""How a runtime's calls are written in Python: what reports and reproducers say in place of this suite.

A runtime declares `Written`; `source` puts it and the text of an adapter's call (`expressions`) together.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from conformance.adapters.expressions import Expression, NotWritable, named_modules, traced, written


class Derived(NamedTuple):
    """Expressions of a value, a first and a second derivative; `before` are lines that the derivatives need.

    Of {arguments} (names of tensors in order), {variable} (the one to differentiate by) and {position} (its place).
    """

    gradient: str = ""
    second: str = ""
    before: str = ""
    value: str = "loss({arguments})"


class Way(NamedTuple):
    """What an execution mode does: lines `before` the result, an expression around what is {computed}, derivatives.

    `derived` takes the place of the runtime's where the mode has its own.
    """

    before: str = ""
    around: str = "{computed}"
    derived: Derived = Derived()


class Written(NamedTuple):
    """How Python says it in one framework; "" where it cannot be said.

    `tensor` is one of {numbers} and {dtype}, `gradient` an expression of a {loss} of `prediction` at a {prediction}.
    `modules` has the lines that import each module, by the name that it goes by, of which those are used that a script
    names; `aliases` the names of modules that go by another.  `helpers` are definitions by name, likewise.
    `derived` and `ways` tell of derivatives and modes, by expressions that end in a call or an index.
    `reshaped` gives a {tensor} the {shape} of several axes.
    `number` is the Python number in a {result} of one element, `numbers` a list of all, `dtype` the name of its dtype.
    """

    tensor: str = ""
    gradient: str = ""
    modules: Mapping[str, str] = {}
    aliases: Mapping[str, str] = {}
    helpers: Mapping[str, str] = {}
    derived: Derived = Derived()
    ways: Mapping[str, Way] = {}
    reshaped: str = "{tensor}.reshape({shape})"
    number: str = "{result}.item()"
    numbers: str = "{result}.tolist()"
    dtype: str = "str({result}.dtype)"


def source(adapter: Any, request: Mapping[str, Any]) -> Dict[str, Any]:
    """What a script needs to make one call of an implementation, as text.

    `request` holds the key of the implementation, `quantity`, `reduction`, `parameters`, of each tensor name, dtype and
    shape, and a `producer` where the prediction is made of `logits`.  Raises NotWritable where the call, its mode or
    its derivative is no text, and what the call raises.
    """
    (one,) = [each for each in adapter.implementations if each.key == request["implementation"]]
    runtime, quantity = adapter.runtime, request["quantity"]
    said: Written = runtime.written
    if not said.tensor or one.mode not in said.ways:
        raise NotWritable("mode %s of %s has no written form" % (one.mode, adapter.name))
    tensors = {
        name: Expression(name, known={"shape": tuple(shape), "dtype": runtime.dtype_written(dtype)})
        for name, dtype, shape in request["tensors"]
    }
    given: Dict[str, Any] = dict(tensors, **request["parameters"])
    if len(one.reductions) > 1:
        given["reduction"] = request["reduction"]
    call = one.derivatives.get(quantity, one.call)
    with named_modules([name for name in runtime.packages if name != "numpy"], said.aliases):
        text = _aliased(traced(call, given), said)
        produced = _produced(runtime, request.get("producer", ""), tensors["prediction"].dtype)
    derived = said.ways[one.mode].derived if said.ways[one.mode].derived.gradient else said.derived
    result, before = _result(said.ways[one.mode], derived, "value" if call is not one.call else quantity, list(tensors))
    parts = (text, produced, result, *before, said.tensor, *(written(one.dtype) for one in tensors.values()))
    helpers = _helpers(said, parts)
    return {
        "modules": _modules(said, (*parts, *helpers, said.number, said.dtype)),
        "versions": [[name, said.aliases.get(name, name)] for name in runtime.packages],
        "arguments": list(tensors),
        "loss": text,
        "produced": produced,
        "helpers": helpers,
        "before": before,
        "result": result,
        "tensor": said.tensor,
        "reshaped": said.reshaped,
        "number": said.number,
        "numbers": said.numbers,
        "dtype": said.dtype,
    }


def _produced(runtime: Any, producer: str, dtype: Any) -> str:
    """The expression that makes the prediction of `logits`; "" where nothing does."""
    return repr(runtime.produce(producer, Expression("logits", known={"dtype": dtype}))) if producer else ""


def _aliased(text: str, said: Written) -> str:
    """`text` with the modules inside of others under the names that they go by."""
    for name, alias in said.aliases.items():
        text = re.sub(r"(?<![\w.])%s\." % re.escape(name), alias + ".", text)
    return text


def _result(way: Way, derived: Derived, quantity: str, names: List[str]) -> Tuple[str, List[str]]:
    """The expression of the result in a mode, and the lines before it."""
    variable = names[0] if quantity in ("value", "second-derivative") else quantity[len("gradient-") :]
    if variable not in names:
        raise NotWritable("there is no %s to differentiate by" % variable)
    words = {"arguments": ", ".join(names), "variable": variable, "position": str(names.index(variable))}
    kinds = {"value": derived.value, "second-derivative": derived.second}
    computed = kinds.get(quantity, derived.gradient)
    if not computed:
        raise NotWritable("the %s has no written form" % quantity)
    lines = [way.before, "" if quantity == "value" else derived.before]
    return (
        filled(way.around, computed=filled(computed, **words), **words),
        [filled(line, **words) for text in lines for line in text.splitlines()],
    )


def filled(template: str, **words: str) -> str:
    """`template` with each {word} that is given replaced; other braces stay."""
    return re.sub(r"\{(\w+)\}", lambda found: words.get(found.group(1), found.group()), template)


def _helpers(said: Written, parts: Tuple[str, ...]) -> List[str]:
    """The definitions of what some texts call."""
    return [body for name, body in said.helpers.items() if any(name + "(" in part for part in parts)]


def _modules(said: Written, parts: Tuple[str, ...]) -> List[str]:
    """The lines that import what some texts name."""
    used = [name for name in said.modules if any(re.search(r"(?<![\w.])%s\." % name, part) for part in parts)]
    return list(dict.fromkeys(line for name in used for line in said.modules[name].splitlines()))
