"""Real frameworks with one change each: what a new version could bring, and the suite must tell.

A miniature (`tests/miniatures`) shows that a check finds a mistake, a change that the record hides none.
`catalogue.py` has them all, `hook.py` makes one in a worker, `runs.py` runs the suite over it.
"""
