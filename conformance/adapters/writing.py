"""How a runtime's calls are written in Python: what reports and reproducers say in place of this suite.

A runtime declares `Written`; `source` puts it and the text of an adapter's call (`expressions`) together.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Set, Tuple

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
        text, own = _called(call, given, said)
        produced = _produced(runtime, request.get("producer", ""), tensors["prediction"].dtype)
    derived = said.ways[one.mode].derived if said.ways[one.mode].derived.gradient else said.derived
    result, before = _result(said.ways[one.mode], derived, "value" if call is not one.call else quantity, list(tensors))
    parts = (text, produced, result, *before, said.tensor, *(written(one.dtype) for one in tensors.values()))
    helpers = [*_helpers(said, parts), *own]
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


def _called(call: Any, given: Dict[str, Any], said: Written) -> Tuple[str, List[str]]:
    """The expression that a call computes, or its own name and the lines of its file that define it.

    Those are for calls that no expression follows: of what asks for a tensor, for a shape, or which way to go.
    """
    try:
        return _aliased(traced(call, given), said), []
    except Exception:
        own = excerpt(call)
        if own is None:
            raise
    name, lines = own
    words = ["%s=%s" % (key, written(value)) for key, value in given.items() if key not in ("prediction", "label")]
    return "%s(%s)" % (name, ", ".join(["prediction", "label", *words])), lines


#: What a script calls the function that it calls.
TAKEN = "loss"


def excerpt(call: Any) -> Optional[Tuple[str, List[str]]]:
    """The name of a function, or of another callable, in its file and the lines there on which it depends.

    None where it has no name there, where it needs this suite, and under Python 3.7, which does not know where
    statements end.
    """
    space = getattr(call, "__globals__", None) or getattr(type(call).__call__, "__globals__", None)
    if space is None or not os.path.isfile(str(space.get("__file__", ""))):
        space = vars(sys.modules.get(type(call).__module__, sys))
    names = [name for name, value in space.items() if value is call]
    if not names or not hasattr(ast.stmt, "end_lineno") or not os.path.isfile(str(space.get("__file__", ""))):
        return None
    with open(space["__file__"], encoding="utf-8") as stream:
        text = stream.read()
    body = ast.parse(text).body
    needed: Set[str] = {names[0]}
    kept: Set[int] = set()
    while True:
        found = {at for at, one in enumerate(body) if at not in kept and _bound(one) & needed}
        if not found:
            break
        kept |= found
        needed |= {node.id for at in found for node in ast.walk(body[at]) if isinstance(node, ast.Name)}
    lines, chosen = text.splitlines(), [body[at] for at in sorted(kept)]
    if any(_of_the_suite(one) for one in chosen):
        return None
    first = [min([one.lineno, *(each.lineno for each in getattr(one, "decorator_list", ()))]) for one in chosen]
    parts = ["\n".join(lines[start - 1 : one.end_lineno]) for start, one in zip(first, chosen)]
    if not any(TAKEN in _bound(one) for one in chosen):
        return names[0], parts
    used = any(isinstance(node, ast.Name) and node.id == TAKEN for one in chosen for node in ast.walk(one))
    if used or names[0] != TAKEN:  # which would mean the function of the script
        return None
    return "own_%s" % TAKEN, [*parts, "own_%s = %s" % (TAKEN, TAKEN)]


def _bound(one: ast.stmt) -> Set[str]:
    """The names that a statement of a module gives a value."""
    if isinstance(one, (ast.FunctionDef, ast.ClassDef)):
        return {one.name}
    if isinstance(one, (ast.Import, ast.ImportFrom)):
        return {(each.asname or each.name).partition(".")[0] for each in one.names}
    return {node.id for node in ast.walk(one) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _of_the_suite(one: ast.stmt) -> bool:
    names = [each.name for each in one.names] if isinstance(one, ast.Import) else [getattr(one, "module", None) or ""]
    return any(name.partition(".")[0] == "conformance" for name in names)


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
