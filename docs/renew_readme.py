"""Put the last whole run's output into README.md: `make run && .venv/bin/python docs/renew_readme.py`."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from conformance.commands.run import WIDTH
from conformance.record import record
from conformance.render import text
from conformance.run import kept

START, END = "<!-- run-output -->\n", "<!-- /run-output -->"


def main() -> None:
    """Replace what stands between the markers."""
    readme = Path("README.md")
    before, rest = readme.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    stream = io.StringIO()
    text.render(record.read(kept.LAST), Console(file=stream, width=WIDTH, force_terminal=False))
    shown = "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
    readme.write_text(f"{before}{START}```text\n{shown}\n```\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
