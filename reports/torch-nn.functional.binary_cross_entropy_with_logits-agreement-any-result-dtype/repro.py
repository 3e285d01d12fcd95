"""torch nn.functional.binary_cross_entropy_with_logits: vmap mode does not do what the plain call does (another dtype comes back) in float32.

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

prediction = torch.tensor([1.0], dtype=torch.float32)  # 1 = 0x3f800000
label = torch.tensor([0.0], dtype=torch.float16)  # 0 = 0x0000
expected = str(loss(prediction, label).dtype)
got = str(torch.func.vmap(loss)(prediction, label).dtype)
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, plainly {expected!r}")
if got != expected:
    print("MISMATCH: vmap mode does not do what the plain call does (another dtype comes back) in float32")
    sys.exit(1)
print("MATCH: both modes agree")
