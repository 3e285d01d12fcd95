"""How TensorFlow runs a loss: what each mode does, and how somebody would write it."""

from __future__ import annotations

from typing import Any, Callable, Tuple

from conformance.adapters import VARIABLE, Arguments, Implementation, Mode
from conformance.adapters.tensorflow.calls import framework
from conformance.adapters.writing import Derived, Way, Written

#: Execution modes: op by op; tf.function traced for each shape; the same traced once for unknown rank; compiled by XLA;
#: derivatives in forward mode; one element at a time under tf.vectorized_map.  `graph` is tf.function without grappler,
#: which XLA does without as well: there its options change no bit (TensorFlow 2.21).
MODES = {
    "eager": Mode(varied=True),
    "graph": Mode(varied=True, compiled=True, stage_of=("function", "xla"), step="tracing"),
    "function": Mode(varied=True, compiled=True, step="grappler's optimizers"),
    "function-unknown": Mode(compiled=True),
    "xla": Mode(varied=True, compiled=True, step="XLA"),
    "jvp": Mode(),
    "vmap": Mode(),
}

_UNDER = "lambda {arguments}: {computed}"

#: What `compute` and `traced` do in each mode, as somebody would write it for a loss of few elements.
WRITTEN = Written(
    "tf.constant([{numbers}], dtype=tf.{dtype})",
    modules={"tf": "import tensorflow as tf"},
    aliases={"tensorflow": "tf"},
    helpers={
        "along": """\
def along(function, variable):
    with tf.autodiff.ForwardAccumulator(variable, tf.ones_like(variable)) as accumulator:
        result = function(variable)
    return accumulator.jvp(result, unconnected_gradients="zero")""",
        "gradient": """\
def gradient(function, variable):
    with tf.GradientTape() as tape:
        tape.watch(variable)
        result = function(variable)
    return tape.gradient(result, variable, unconnected_gradients="zero")""",
    },
    derived=Derived(
        "gradient(lambda {variable}: loss({arguments}), {variable})",
        "gradient(lambda {variable}: gradient(lambda {variable}: loss({arguments}), {variable}), {variable})",
    ),
    ways={
        "eager": Way(),
        "function": Way(around="tf.function(%s, autograph=False)({arguments})" % _UNDER),
        "function-unknown": Way(
            around="tf.function(%s, autograph=False, input_signature="
            "[tf.TensorSpec(None, one.dtype) for one in ({arguments},)])({arguments})" % _UNDER
        ),
        "xla": Way(around="tf.function(%s, autograph=False, jit_compile=True)({arguments})" % _UNDER),
        "jvp": Way(
            derived=Derived(
                "along(lambda {variable}: loss({arguments}), {variable})",
                "along(lambda {variable}: gradient(lambda {variable}: loss({arguments}), {variable}), {variable})",
            )
        ),
        "vmap": Way(
            around="tf.function(lambda *values: tf.vectorized_map(lambda row: (%s)(*row), values, "
            "fallback_to_while_loop=False), autograph=False)({arguments})" % _UNDER
        ),
    },
    reshaped="tf.reshape({tensor}, {shape})",
    number="{result}.numpy().item()",
    numbers="{result}.numpy().tolist()",
    dtype="{result}.dtype.name",
)


def traced(mode: str, body: Callable[..., Any], dtypes: Tuple[Any, ...]) -> Callable[..., Any]:
    """`body` as the tf.function of a `mode`.

    The Python code has no control flow that depends on tensors, so AutoGraph has nothing to convert.
    """
    tf = framework()
    function: Callable[..., Any]
    if mode == "function":
        function = tf.function(body, autograph=False)
    elif mode == "graph":
        function = _unoptimized(tf.function(body, autograph=False))
    elif mode == "function-unknown":
        signature = [tf.TensorSpec(None, dtype) for dtype in dtypes]
        function = tf.function(body, autograph=False, input_signature=signature)
    elif mode == "xla":
        function = tf.function(body, autograph=False, jit_compile=True)
    else:  # "vmap"
        # An operation that cannot be vectorized raises: a loop in its place would be another mode than the one named.
        function = tf.function(
            lambda *values: tf.vectorized_map(lambda row: body(*row), values, fallback_to_while_loop=False),
            autograph=False,
        )
    return function


def _unoptimized(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with grappler off for the whole process while it is called.

    The option counts where a function is called, not where it is traced: TensorFlow 2.21 keeps an optimized graph and
    another one of the same function for each of its values.
    """
    optimizer = framework().config.optimizer

    def call(*values: Any) -> Any:
        before = optimizer.get_experimental_options()
        optimizer.set_experimental_options({"disable_meta_optimizer": True})
        try:
            return function(*values)
        finally:
            optimizer.set_experimental_options(before)

    return call


#: (function of one tensor, that tensor) -> the derivative of the sum of all results by each of its elements.
Derivative = Callable[[Callable[[Any], Any], Any], Any]


def compute(implementation: Implementation, quantity: str, arguments: Arguments, derivative: Derivative) -> Any:
    """`quantity` of the loss; `derivative` takes the outermost derivative, the tape an inner one."""
    name = VARIABLE[quantity]
    if not name:
        return implementation.loss(arguments)
    variable = arguments[name]
    if not variable.dtype.is_floating:  # TensorFlow would only log a warning and give zeros
        raise TypeError("cannot differentiate by a tensor of %s" % variable.dtype.name)
    loss = implementation.loss_of(name, arguments)
    if quantity == "second-derivative":
        return derivative(lambda inner: gradient(loss, inner), variable)
    return derivative(loss, variable)


def gradient(function: Callable[[Any], Any], variable: Any) -> Any:
    """The derivative by backpropagation; zeros where the results do not depend on `variable`."""
    tf = framework()
    with tf.GradientTape() as tape:
        tape.watch(variable)
        result = function(variable)
    return tape.gradient(result, variable, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def forward(function: Callable[[Any], Any], variable: Any) -> Any:
    """The same by Jacobian-vector products: one where each result depends on its own element, else one an element."""
    tf = framework()
    result, product = _along(function, variable, tf.ones_like(variable))
    if result.shape == variable.shape:
        return product
    directions = tf.eye(variable.shape.num_elements(), dtype=variable.dtype)
    products = [
        tf.reduce_sum(_along(function, variable, tf.reshape(direction, variable.shape))[1]) for direction in directions
    ]
    return tf.reshape(tf.convert_to_tensor(products, dtype=result.dtype), variable.shape)


def _along(function: Callable[[Any], Any], variable: Any, direction: Any) -> Tuple[Any, Any]:
    """`function` at `variable`, and how it changes along `direction`."""
    tf = framework()
    with tf.autodiff.ForwardAccumulator(variable, direction) as accumulator:
        result = function(variable)
    return result, accumulator.jvp(result, unconnected_gradients=tf.UnconnectedGradients.ZERO)
