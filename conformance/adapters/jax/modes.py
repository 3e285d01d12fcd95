"""How JAX runs a loss: what each mode does, and how somebody would write it."""

from __future__ import annotations

from typing import Any, Callable, Dict, Tuple

from conformance.adapters import PLAIN, VARIABLE, Arguments, Implementation, Mode
from conformance.adapters.jax.calls import framework
from conformance.adapters.writing import Derived, Way, Written

#: What is differentiated, and how: (implementation, quantity, arguments) -> array.
Evaluate = Callable[[Implementation, str, Arguments], Any]

#: Execution modes: op by op, compiled, one example at a time (compiled), derivatives in forward mode; and stages of
#: `jit`.
MODES = dict(
    PLAIN,
    rounded=Mode(varied=True, compiled=True, stage_of=("jit",), step="XLA's program"),
    unfused=Mode(varied=True, compiled=True, stage_of=("jit",), step="XLA's excess precision"),
    jit=Mode(varied=True, compiled=True, step="XLA's fusion"),
    vmap=Mode(),
    jvp=Mode(),
)

#: What XLA compiles `unfused` with; the pass is named as in xla/service/instruction_fusion.h.  Operations of one fusion
#: are one loop, in which LLVM makes one instruction of a product and a sum (jaxlib 0.10.2 on the CPU: of 4096 float32
#: losses of Optax 290 have other bits fused, and none unfused).
UNFUSED = {"xla_disable_hlo_passes": "fusion"}

#: What it compiles `rounded` with: what XLA computes in float32 for 16 bits is rounded to these after each operation, a
#: rounding that it leaves out where it may (xla/xla.proto, `xla_allow_excess_precision`).
ROUNDED = dict(UNFUSED, xla_allow_excess_precision=False)


def written(x64: str) -> Written:
    """What the modes of a JaxRuntime do, as somebody would write it for a loss of few elements."""
    along = "jax.jvp({function}, ({variable},), (jnp.ones_like({variable}),))"
    loss, total = "lambda {variable}: loss({arguments})", "jax.grad(lambda {variable}: loss({arguments}).sum())"
    return Written(
        "jnp.array([{numbers}], dtype=jnp.{dtype})",
        "jax.grad(lambda prediction: {loss}.sum())({prediction})",
        modules={
            "jax": "import jax",
            "jax.scipy.stats": "import jax.scipy.stats",
            "jnp": 'import jax\nimport jax.numpy as jnp\njax.config.update("jax_enable_x64", %s)' % x64,
            "optax": "import optax",
        },
        aliases={"jax.numpy": "jnp"},
        derived=Derived(
            total + "({variable})", "jax.grad(lambda {variable}: %s({variable}).sum())({variable})" % total
        ),
        ways={
            "eager": Way(),
            "jit": Way(around="jax.jit(lambda {arguments}: {computed})({arguments})"),
            "vmap": Way(around="jax.jit(jax.vmap(lambda {arguments}: {computed}))({arguments})"),
            "jvp": Way(
                derived=Derived(
                    along.replace("{function}", loss) + "[1]",
                    along.replace("{function}", total) + "[1]",
                    value=along.replace("{function}", loss) + "[0]",
                )
            ),
        },
    )


WRITTEN = written("True")


def evaluations() -> Dict[str, Evaluate]:
    """What each mode does, with no program compiled yet."""
    return {
        "eager": _reverse,
        "rounded": _compiled(_reverse, compiler_options=ROUNDED),
        "unfused": _compiled(_reverse, compiler_options=UNFUSED),
        "jit": _compiled(_reverse),
        # Op by op vmap gives the bits of eager mode, at the same price; compiled it is a program of its own.
        "vmap": _compiled(_batched),
        "jvp": _forward,
    }


def _reverse(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    """The loss, or its derivative by jax.vjp; the second derivative is reverse over reverse."""
    if quantity == "value":
        return implementation.loss(arguments)
    name = VARIABLE[quantity]
    loss = implementation.loss_of(name, arguments)
    if quantity != "second-derivative":
        return _gradient(loss, arguments[name])
    return _gradient(lambda variable: _gradient(loss, variable), arguments[name])


def _forward(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    """The loss or its derivative by jax.jvp; the second derivative is forward over reverse."""
    name = VARIABLE[quantity] or "prediction"
    loss = implementation.loss_of(name, arguments)
    variable = arguments[name]
    if quantity == "value":
        return _along(loss, variable, framework().numpy.ones_like(variable))[0]
    _must_be_floating(variable)
    if quantity == "second-derivative":
        return _forward_gradient(lambda one: _gradient(loss, one), variable)
    return _forward_gradient(loss, variable)


def _batched(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
    """`_reverse` of one example, mapped over the first axis by jax.vmap; what has no axis is shared."""
    arrays, constants = _split(arguments)
    axes = {name: 0 if array.ndim else None for name, array in arrays.items()}

    def of_one(example: Arguments) -> Any:
        return _reverse(implementation, quantity, dict(constants, **example))

    return framework().vmap(of_one, in_axes=(axes,))(arrays)


def _compiled(evaluate: Evaluate, **options: Any) -> Evaluate:
    """`evaluate` under jax.jit with `options`: the loss and its derivative are one program.

    Numbers and names are constants of the program, as where somebody writes them into the loss that is compiled.
    """
    programs: Dict[Any, Any] = {}

    def run(implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        arrays, constants = _split(arguments)
        key = (implementation, quantity, tuple(sorted(arrays)), tuple(sorted(constants.items())))
        if key not in programs:
            programs[key] = framework().jit(
                lambda traced: evaluate(implementation, quantity, dict(constants, **traced)), **options
            )
        return programs[key](arrays)

    return run


def _gradient(function: Callable[[Any], Any], variable: Any) -> Any:
    """Gradient of the sum of the results of `function` at `variable`."""
    _must_be_floating(variable)
    jax = framework()
    result, pullback = jax.vjp(function, variable)
    return pullback(jax.numpy.ones_like(result))[0]


def _forward_gradient(function: Callable[[Any], Any], variable: Any) -> Any:
    """The same in forward mode: one direction gives all derivatives of a loss that is computed element by element.

    Where the result has another shape each element of `variable` needs a direction of its own.
    """
    jax = framework()
    _, tangent = _along(function, variable, jax.numpy.ones_like(variable))
    if tangent.shape == variable.shape:
        return tangent
    directions = jax.numpy.eye(variable.size, dtype=variable.dtype).reshape((variable.size, *variable.shape))
    derivatives = jax.vmap(lambda direction: _along(function, variable, direction)[1].sum())(directions)
    return derivatives.reshape(variable.shape)


def _along(function: Callable[[Any], Any], variable: Any, direction: Any) -> Any:
    """Results of `function` and their derivatives along `direction`."""
    return framework().jvp(function, (variable,), (direction,))


def _must_be_floating(variable: Any) -> None:
    """Raise TypeError for an integer array, of which JAX gives derivatives of the type float0."""
    jax = framework()
    if not jax.numpy.issubdtype(variable.dtype, jax.numpy.floating):
        raise TypeError("cannot differentiate by an array of %s" % variable.dtype)


def _split(arguments: Arguments) -> Tuple[Arguments, Arguments]:
    """The arguments that are arrays, and the others."""
    arrays = {name: value for name, value in arguments.items() if isinstance(value, array_type())}
    return arrays, {name: value for name, value in arguments.items() if name not in arrays}


def array_type() -> Any:
    """jax.Array is of 0.4.1; before it jax.numpy.ndarray was the type."""
    jax = framework()
    return getattr(jax, "Array", jax.numpy.ndarray)
