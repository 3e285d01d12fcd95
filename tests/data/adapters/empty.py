"""An adapter file that defines no `adapters`."""

adapter = []
