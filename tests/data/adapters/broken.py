"""An adapter file that is no Python."""

adapters = [
