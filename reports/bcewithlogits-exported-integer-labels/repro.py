"""torch nn.functional.binary_cross_entropy_with_logits: the call returned int32 for float32, label int32.

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

prediction = torch.tensor([-0.5], dtype=torch.float32)  # -0.5 = 0xbf000000
label = torch.tensor([1], dtype=torch.int32)
module = torch.nn.Module()
module.forward = loss
loss = torch.export.export(module, (prediction, label,)).run_decompositions().module()
got = str(loss(prediction, label).dtype).rpartition(".")[2]
expected = ["float32"]
print("torch", torch.__version__, "Python", sys.version.split()[0])
print(f"got {got!r}, expected {expected[0]!r}")
if got not in expected:
    print("MISMATCH: the call returned int32 for float32, label int32")
    sys.exit(1)
print("MATCH: the result comes back as expected")
