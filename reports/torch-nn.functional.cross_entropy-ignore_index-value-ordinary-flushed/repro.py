"""torch nn.functional.cross_entropy[ignore_index]: the loss in float32 is flushed to 0 where it is 8.194e-40.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return torch.nn.functional.cross_entropy(torch.stack((torch.zeros_like(prediction), prediction), -1).reshape(-1, 2), label.to(torch.int64).reshape(-1), reduction='none').reshape((1,))

prediction = torch.tensor([90.0], dtype=torch.float32)  # 90 = 0x42b40000
label = torch.tensor([1.0], dtype=torch.float32)  # 1 = 0x3f800000
result = loss(prediction, label)
got = result.item()
# Exactly, log(1 + exp(-z)), at z = 90, y = 1.
expected = 8.194012623990515e-40  # 0x1.1d8508fa8246ap-130
ulp = 2.0**-149  # of float32 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4 or got == 0:
    print("MISMATCH: the loss in float32 is flushed to 0 where it is 8.194e-40")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
