"""keras-torch losses.binary_crossentropy: compile mode does not do what the plain call does (inaccurate) in bfloat16.

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
    return keras.losses.binary_crossentropy(keras.ops.expand_dims(label, -1), keras.ops.expand_dims(prediction, -1), from_logits=False)

prediction = torch.tensor([1.0], dtype=torch.bfloat16)  # 1 = 0x3f80
label = torch.tensor([1.0], dtype=torch.bfloat16)  # 1 = 0x3f80
expected = loss(prediction, label).item()
prediction.requires_grad_(), label.requires_grad_()
loss = torch.compile(loss, dynamic=True)
got = loss(prediction, label).item()
bound = 8 * 9.183549615799121e-41  # 8 ULP of bfloat16: the budgets of both
print("keras", keras.__version__, "torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, plainly {expected!r}")
if not (got == expected or abs(got - expected) <= bound or (got != got and expected != expected)):
    print("MISMATCH: compile mode does not do what the plain call does (inaccurate) in bfloat16")
    sys.exit(1)
print("MATCH: both modes agree")
