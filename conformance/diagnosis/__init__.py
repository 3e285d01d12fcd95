"""From wrong bits to causes: which formula an implementation evaluates, which step is to blame, what helps."""
