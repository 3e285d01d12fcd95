"""Formats, bit patterns, literals and distances: what a number is, on both sides of the wall to the worker."""
