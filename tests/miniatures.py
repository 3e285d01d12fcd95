"""Small cases, implementations and observations of which tests are made."""

from __future__ import annotations

from hypothesis import settings

#: Every run tries the same examples, however slow the machine is.
deterministic = settings(derandomize=True, deadline=None, database=None, max_examples=200)
