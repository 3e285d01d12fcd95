"""jax scipy.stats.bernoulli.logpmf: jvp mode does not do what the plain call does (nan) in float16.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import jax
import jax.scipy.stats
import jax.numpy as jnp
jax.config.update("jax_enable_x64", True)

def loss(prediction, label):
    return -jax.scipy.stats.bernoulli.logpmf(label, prediction)

prediction = jnp.array([float.fromhex("0x1p-23")], dtype=jnp.float16)  # 1e-07 = 0x0002
label = jnp.array([0.0], dtype=jnp.float16)  # 0 = 0x0000
expected = jax.grad(lambda prediction: loss(prediction, label).sum())(prediction).item()
got = jax.jvp(lambda prediction: loss(prediction, label), (prediction,), (jnp.ones_like(prediction),))[1].item()
bound = 8 * 0.0009765625  # 8 ULP of float16: the budgets of both
print("jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, plainly {expected!r}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: jvp mode does not do what the plain call does (nan) in float16")
    sys.exit(1)
print("MATCH: both modes agree")
