"""torch nn.functional.binary_cross_entropy_with_logits: in float32 inputs are accepted that must be rejected: prediction of shape (3,), label of shape (3,), pos_weight of shape (4, 3).

Exits with 1 where the mismatch shows, with 0 where it does not, and with 125 where it cannot be told.
"""
import sys

def cannot_tell(kind, error, traceback):
    print(f"cannot tell: {kind.__name__}: {error}")
    sys.exit(125)

sys.excepthook = cannot_tell
import torch

def loss(prediction, label, pos_weight):
    return torch.nn.functional.binary_cross_entropy_with_logits(prediction, label, pos_weight=pos_weight, reduction='none')

prediction = torch.tensor([-0.5, 0.75, 1.0], dtype=torch.float32)
label = torch.tensor([1.0, 0.0, float.fromhex("0x1.333334p-2")], dtype=torch.float32)
pos_weight = torch.tensor([2.0, 0.5, 3.0, 2.0, 0.5, 3.0, 2.0, 0.5, 3.0, 2.0, 0.5, 3.0], dtype=torch.float32).reshape((4, 3))
prediction.requires_grad_(), label.requires_grad_()
loss = torch.compile(loss, fullgraph=True, dynamic=True)
print("torch", torch.__version__, "Python", sys.version.split()[0])
try:
    print('got', loss(prediction, label, pos_weight))
except Exception as error:
    print(f"got {type(error).__name__}: {error}")
    print("MATCH: the inputs are rejected")
    sys.exit(0)
print("MISMATCH: in float32 inputs are accepted that must be rejected: prediction of shape (3,), label of shape (3,), pos_weight of shape (4, 3)")
sys.exit(1)
