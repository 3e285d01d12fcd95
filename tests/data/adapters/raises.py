"""An adapter file that raises when it is run."""

raise RuntimeError("this file cannot be imported")
