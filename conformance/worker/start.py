"""The script of a worker: `python start.py READ_FD WRITE_FD SOURCE`, run by any interpreter that has NumPy.

SOURCE is the name of a built-in adapter module, the path of an adapter file, or `module:` and the name of an installed
module.  Standard output and error belong to the framework and go to a log.
"""

from __future__ import annotations

import importlib.util
import os
import sys

#: How a worker ends where NumPy, without which nothing can be asked of it, cannot be imported (EX_UNAVAILABLE of
#: sysexits.h).
NO_NUMPY = 69


def forget_this_folder() -> None:
    """Take the folder of this script off sys.path: modules there have names that a framework may look for."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.getcwd()) != here]


def provide() -> None:
    """Make `conformance` and `reference` importable without touching anything else on sys.path."""
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    for name in ("conformance", "reference"):
        folder = os.path.join(root, name)
        spec = importlib.util.spec_from_file_location(
            name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
        )
        if spec is not None and spec.loader is not None and os.path.exists(folder):
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)


if __name__ == "__main__":
    forget_this_folder()
    try:
        import numpy  # noqa: F401
    except ImportError:
        sys.exit(NO_NUMPY)
    provide()
    from conformance.worker.session import serve

    sys.exit(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
