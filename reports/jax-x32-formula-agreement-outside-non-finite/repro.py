"""jax-x32 formula: jit mode does not do what the plain call does (nan) in float32.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import jax
import jax.numpy as jnp
jax.config.update("jax_enable_x64", False)

def loss(prediction, label):
    return -(label * jnp.log(prediction) + (1 - label) * jnp.log1p(-prediction))

prediction = jnp.array([0.5], dtype=jnp.float32)  # 0.5 = 0x3f000000
label = jnp.array([float.fromhex("0x1.fffffep+127")], dtype=jnp.float32)  # 3.4028235e+38 = 0x7f7fffff
expected = jax.grad(lambda prediction: jax.grad(lambda prediction: loss(prediction, label).sum())(prediction).sum())(prediction).item()
got = jax.jit(lambda prediction, label: jax.grad(lambda prediction: jax.grad(lambda prediction: loss(prediction, label).sum())(prediction).sum())(prediction))(prediction, label).item()
bound = 8 * 2.028240960365167e+31  # 8 ULP of float32: the budgets of both
print("jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, plainly {expected!r}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: jit mode does not do what the plain call does (nan) in float32")
    sys.exit(1)
print("MATCH: both modes agree")
