"""jax optax.losses.sigmoid_focal_loss: jvp mode does not do what the plain call does (inaccurate) in float16.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import jax
import jax.numpy as jnp
jax.config.update("jax_enable_x64", True)
import optax

def loss(prediction, label):
    return optax.losses.sigmoid_focal_loss(prediction, label, alpha=None, gamma=0.0)

prediction = jnp.array([5.0], dtype=jnp.float16)  # 5 = 0x4500
label = jnp.array([0.0], dtype=jnp.float16)  # 0 = 0x0000
expected = jax.grad(lambda prediction: jax.grad(lambda prediction: loss(prediction, label).sum())(prediction).sum())(prediction).item()
got = jax.jvp(jax.grad(lambda prediction: loss(prediction, label).sum()), (prediction,), (jnp.ones_like(prediction),))[1].item()
bound = 8 * 3.814697265625e-06  # 8 ULP of float16: the budgets of both
print("jax", jax.__version__, "optax", optax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, plainly {expected!r}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: jvp mode does not do what the plain call does (inaccurate) in float16")
    sys.exit(1)
print("MATCH: both modes agree")
