"""What an observation means: expected values, verdicts, and the checks about more than one element."""
