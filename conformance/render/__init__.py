"""Renderers: a run record as text, JSON or Markdown."""
