"""torch nn.functional.binary_cross_entropy: the call returned shape (4, 4), expected (4,).

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

prediction = torch.tensor([float.fromhex("0x1.333334p-2"), float.fromhex("0x1.333334p-1"), float.fromhex("0x1.666666p-1"), float.fromhex("0x1.333334p-2")], dtype=torch.float32)
label = torch.tensor([1.0, 0.0, float.fromhex("0x1.333334p-2"), 1.0], dtype=torch.float32)
weight = torch.tensor([2.0, 0.5, 3.0, 2.0], dtype=torch.float32).reshape((4, 1))
prediction.requires_grad_(), label.requires_grad_()
loss = torch.compile(loss, fullgraph=True, dynamic=True)
got = tuple(loss(prediction, label, weight).shape)
expected = [(4,)]
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected[0]!r}")
if got not in expected:
    print("MISMATCH: the call returned shape (4, 4), expected (4,)")
    sys.exit(1)
print("MATCH: the result comes back as expected")
