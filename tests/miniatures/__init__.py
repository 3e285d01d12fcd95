"""Implementations in miniature: right ones, which no check may fail, and wrong ones, each of which one must.

`base.py` is right.  The other modules hold subclasses of it, each with one mistake that its docstring names, or with
one documented property.  `adapter.py` offers all of them, `kills.py` runs them, and `kills.yaml` records which case
files catch which: `python -m tests.miniatures.renew` writes it anew.
"""
