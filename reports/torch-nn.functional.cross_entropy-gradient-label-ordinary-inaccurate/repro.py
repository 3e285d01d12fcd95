"""torch nn.functional.cross_entropy: the gradient by the label in float32 is 0 where it is -1.2e-38.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return torch.nn.functional.cross_entropy(torch.stack((torch.zeros_like(prediction), prediction), -1).reshape(-1, 2), torch.stack((1 - label, label), -1).reshape(-1, 2), reduction='none').reshape((1,))

prediction = torch.tensor([float.fromhex("0x1.05563cp-126")], dtype=torch.float32)  # 1.2e-38 = 0x0082ab1e
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
label.requires_grad_()
result = torch.autograd.grad(loss(prediction, label).sum(), label)[0]
got = result.item()
# Exactly, -z, at z = 1.2e-38, y = 0.
expected = -1.199999978106707e-38  # -0x1.05563cp-126
ulp = 2.0**-149  # of float32 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the label in float32 is 0 where it is -1.2e-38")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
