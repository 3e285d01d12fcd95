"""torch nn.functional.binary_cross_entropy: the gradient by the weight in float32 is 0 where it is 0.1054.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label, weight):
    return torch.nn.functional.binary_cross_entropy(prediction, label, weight=weight, reduction='none')

prediction = torch.tensor([float.fromhex("0x1.99999ap-4")], dtype=torch.float32)  # 0.1 = 0x3dcccccd
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
weight = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
result = torch.func.jvp(lambda weight: loss(prediction, label, weight), (weight,), (torch.ones_like(weight),))[1]
got = result.item()
# Exactly, -(q*y*log(p) + (1 - y)*log(1 - p)), at p = 0.1, y = 0, w = 0.
expected = 0.10536051731351088  # 0x1.af8e82826b325p-4
ulp = 2.0**-27  # of float32 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the weight in float32 is 0 where it is 0.1054")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
