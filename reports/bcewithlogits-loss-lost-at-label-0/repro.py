"""torch nn.BCEWithLogitsLoss: the loss in float32 is 0 where it is 2.061e-09.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return torch.nn.BCEWithLogitsLoss(reduction='none')(prediction, label)

prediction = torch.tensor([-20.0], dtype=torch.float32)  # -20 = 0xc1a00000
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
result = loss(prediction, label)
got = result.item()
# Exactly, log(1 + exp(z)), at z = -20, y = 0.
expected = 2.061153620314381e-09  # 0x1.1b48655a5141ep-29
ulp = 2.0**-52  # of float32 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4:
    print("MISMATCH: the loss in float32 is 0 where it is 2.061e-09")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
