"""torch nn.BCEWithLogitsLoss: the call returned float32 for float64, label float32.

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

prediction = torch.tensor([1.0], dtype=torch.float64)  # 1 = 0x3ff0000000000000
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
got = str(loss(prediction, label).dtype).rpartition(".")[2]
expected = ["float64"]
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected[0]!r}")
if got not in expected:
    print("MISMATCH: the call returned float32 for float64, label float32")
    sys.exit(1)
print("MATCH: the result comes back as expected")
