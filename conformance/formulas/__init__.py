"""Formulas with explicit steps: what an implementation evaluates, and what it is rounded to on the way."""
