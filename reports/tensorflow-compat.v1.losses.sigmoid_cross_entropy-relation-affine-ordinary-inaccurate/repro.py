"""tensorflow compat.v1.losses.sigmoid_cross_entropy: this does not hold in float64: L(x,y) = (1-y)*L(x,0) + y*L(x,1), whatever the label.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import tensorflow as tf

def loss(prediction, label):
    return tf.compat.v1.losses.sigmoid_cross_entropy(multi_class_labels=label, logits=prediction, weights=1.0, label_smoothing=0, reduction=tf.compat.v1.losses.Reduction.NONE)

prediction = tf.constant([1.0, 1.0, 1.0], dtype=tf.float64)
label = tf.constant([0.1, 0.0, 1.0], dtype=tf.float64)
got = loss(prediction, label).numpy().tolist()
# L(x,y) = (1-y)*L(x,0) + y*L(x,1), whatever the label: exactly, this is 0.
residual = got[0] - 0.9 * got[1] - 0.1 * got[2]
bound = 1.709743457922741e-15  # 0x1.eccccccccccccp-50, 4 ULP of float64 for each result
print("tensorflow", tf.__version__, "Python", sys.version.split()[0])
print(f"got {got}, residual {residual:.6g}, bound {bound:.3g}")
if not abs(residual) <= bound:
    print("MISMATCH: this does not hold in float64: L(x,y) = (1-y)*L(x,0) + y*L(x,1), whatever the label")
    sys.exit(1)
print("MATCH: the relation holds within rounding")
