"""torch nn.functional.binary_cross_entropy: the gradient by the prediction in float32 is off by 8.6e+07 ULP where it is -1.905.

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

prediction = torch.tensor([float.fromhex("0x1.333334p-2")], dtype=torch.float32)  # 0.3 = 0x3e99999a
label = torch.tensor([0.5], dtype=torch.float32)  # 0.5 = 0x3f000000
weight = torch.tensor([2.0], dtype=torch.float64)  # 2 = 0x4000000000000000
result = torch.func.jvp(lambda prediction: loss(prediction, label, weight), (prediction,), (torch.ones_like(prediction),))[1]
got = result.item()
# Exactly, w*((1 - y)/(1 - p) - q*y/p), at p = 0.3, y = 0.5, w = 2.
expected = -1.9047617479787171  # -0x1.e79e77463d89dp+0
ulp = 2.0**-50  # of float64 at the larger of the two terms of the formula
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the gradient by the prediction in float32 is off by 8.6e+07 ULP where it is -1.905")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
