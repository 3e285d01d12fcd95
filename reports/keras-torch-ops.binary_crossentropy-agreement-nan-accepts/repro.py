"""keras-torch ops.binary_crossentropy: compile mode does not do what the plain call does (inputs are accepted that must be rejected) in float32.

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
print("keras", keras.__version__, "torch", torch.__version__, "Python", sys.version.split()[0])
try:
    plain = loss(prediction, label)
except Exception as error:
    plain = error
prediction.requires_grad_(), label.requires_grad_()
loss = torch.compile(loss, dynamic=True)
try:
    result = loss(prediction, label)
except Exception as error:
    result = error
print(f"got {type(result).__name__}: {result}, plainly {type(plain).__name__}: {plain}")
if isinstance(result, Exception) != isinstance(plain, Exception):
    print("MISMATCH: compile mode does not do what the plain call does (inputs are accepted that must be rejected) in float32")
    sys.exit(1)
print("MATCH: both modes agree")
