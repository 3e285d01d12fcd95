"""torch nn.functional.binary_cross_entropy: export mode does not do what the plain call does (inputs are accepted that must be rejected) in float32.

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label):
    return torch.nn.functional.binary_cross_entropy(prediction, label, reduction='none')

prediction = torch.tensor([float("nan")], dtype=torch.float32)  # nan = 0x7fc00000
label = torch.tensor([0.0], dtype=torch.float32)  # 0 = 0x00000000
print("torch", torch.__version__, "Python", sys.version.split()[0])
try:
    plain = loss(prediction, label)
except Exception as error:
    plain = error
module = torch.nn.Module()
module.forward = loss
loss = torch.export.export(module, (prediction, label,)).run_decompositions().module()
try:
    result = loss(prediction, label)
except Exception as error:
    result = error
print(f"got {type(result).__name__}: {result}, plainly {type(plain).__name__}: {plain}")
if isinstance(result, Exception) != isinstance(plain, Exception):
    print("MISMATCH: export mode does not do what the plain call does (inputs are accepted that must be rejected) in float32")
    sys.exit(1)
print("MATCH: both modes agree")
