"""keras-torch ops.binary_crossentropy: the gradient by the prediction in float32 is a number where it is NaN.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch

def loss(prediction, label):
    return keras.ops.binary_crossentropy(label, prediction, from_logits=False)

prediction = torch.tensor([float("nan")], dtype=torch.float32)  # nan = 0x7fc00000
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
prediction.requires_grad_(), label.requires_grad_()
loss = torch.compile(loss, dynamic=True)
prediction.requires_grad_()
result = torch.autograd.grad(loss(prediction, label).sum(), prediction)[0]
got = result.item()
# No value, at p = nan, y = 0: an input is NaN.
expected = float("nan")
print("keras", keras.__version__, "torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}")
if got == got:
    print("MISMATCH: the gradient by the prediction in float32 is a number where it is NaN")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
