"""torch nn.functional.soft_margin_loss: the loss in float32 is flushed to 0 where it is 1.852e-45.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return torch.nn.functional.soft_margin_loss(prediction, 2 * label - 1, reduction='none')

prediction = torch.tensor([103.0], dtype=torch.float32)  # 103 = 0x42ce0000
label = torch.tensor([1.0], dtype=torch.float32)  # 1 = 0x3f800000
result = loss(prediction, label)
got = result.item()
# Exactly, log(1 + exp(-z)), at z = 103, y = 1.
expected = 1.8521167695179754e-45  # 0x1.525be4e4e601dp-149
ulp = 2.0**-149  # of float32 at the expected value
error = abs(got - expected) / ulp
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected!r}, error {error:.3g} ULP")
if not error <= 4 or got == 0:
    print("MISMATCH: the loss in float32 is flushed to 0 where it is 1.852e-45")
    sys.exit(1)
print("MATCH: the result is within rounding of the expected value")
