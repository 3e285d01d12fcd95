"""torch nn.functional.binary_cross_entropy_with_logits: the gradient by the prediction in float32 is 0 where it is 2.061e-09.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return torch.nn.functional.binary_cross_entropy_with_logits(prediction, label, reduction='none')

prediction = torch.tensor([-20.0], dtype=torch.float32)  # -20 = 0xc1a00000
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
result = torch.func.vmap(torch.func.grad(loss, argnums=0))(prediction, label)
got = result.item()
# Exactly, 1/(1 + exp(-z)), at z = -20, y = 0.
expected = 2.0611536181902037e-09  # 0x1.1b4865556b5d5p-29
ulp = 2.0**-52  # of float32 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float32 is 0 where it is 2.061e-09")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
