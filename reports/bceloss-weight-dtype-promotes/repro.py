"""torch nn.functional.binary_cross_entropy: the call gradient-prediction returned float32 for bfloat16.

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

prediction = torch.tensor([1.0], dtype=torch.bfloat16)  # 1 = 0x3f80
label = torch.tensor([0.0], dtype=torch.bfloat16)  # 0 = 0x0000
weight = torch.tensor([1.0], dtype=torch.float32)  # 1 = 0x3f800000
got = str(torch.func.jvp(lambda prediction: loss(prediction, label, weight), (prediction,), (torch.ones_like(prediction),))[1].dtype).rpartition(".")[2]
expected = ["bfloat16"]
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected[0]!r}")
if got not in expected:
    print("MISMATCH: the call gradient-prediction returned float32 for bfloat16")
    sys.exit(1)
print("MATCH: the result comes back as expected")
