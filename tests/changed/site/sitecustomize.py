"""Python imports this by itself when it starts: it puts the hook of a change in place, if the environment names one."""

import os
import sys
from pathlib import Path

from tests.changed import hook
from tests.changed.catalogue import CATALOGUE

if os.environ.get(hook.CHANGE):
    sys.meta_path.insert(0, hook.Hook(CATALOGUE[os.environ[hook.CHANGE]], Path(os.environ[hook.MADE])))
