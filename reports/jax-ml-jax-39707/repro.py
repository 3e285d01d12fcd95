"""jax formula: this does not hold in float64: L(p,y) = L(1-p,1-y), L(z,y) = L(-z,1-y).

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

def loss(prediction, label):
    return -(label * jnp.log(prediction) + (1 - label) * jnp.log1p(-prediction))

prediction = jnp.array([0.4, 0.6], dtype=jnp.float64)  # 0.4 = 0x3fd999999999999a, 0.6 = 0x3fe3333333333333
label = jnp.array([0.0, 1.0], dtype=jnp.float64)  # 0 = 0x0000000000000000, 1 = 0x3ff0000000000000
got = loss(prediction, label).tolist()
# L(p,y) = L(1-p,1-y), L(z,y) = L(-z,1-y): exactly, this is 0.
residual = got[0] - got[1]
bound = 8.881784197001252e-16  # 0x1p-50, 4 ULP of float64 for each result
print("jax", jax.__version__, "Python", sys.version.split()[0])
print(f"got {got}, residual {residual:.6g}, bound {bound:.3g}")
if not abs(residual) <= bound:
    print("MISMATCH: this does not hold in float64: L(p,y) = L(1-p,1-y), L(z,y) = L(-z,1-y)")
    sys.exit(1)
print("MATCH: the relation holds within rounding")
