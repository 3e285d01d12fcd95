"""Show the last whole run in docs/a-whole-run.md and README.md: `make run`, then `python -m tools.renew.readme`."""

from __future__ import annotations

import io

from rich.console import Console

from conformance.record import record
from conformance.record.record import RunRecord
from conformance.render import answer, text
from conformance.run import kept
from tools.renew import ROOT

README = ROOT / "README.md"
PAGE = ROOT / "docs" / "a-whole-run.md"

#: Columns of the first screen on both pages: what a page of the site and of a repository shows unscrolled.
WIDTH = 100


def first_screen(run: RunRecord) -> str:
    """The first screen of a run, as `bce-conformance run` prints it into WIDTH columns."""
    return "".join(f"{line.plain.rstrip()}\n" for line in answer.lines(run, WIDTH))


def counts(run: RunRecord) -> str:
    """What `bce-conformance show --counts` prints of it where standard output is no terminal."""
    stream = io.StringIO()
    text.render(run, Console(file=stream, width=text.WIDTH, force_terminal=False))
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def block(page: str, name: str) -> str:
    """What stands in the block of a page that has this name."""
    before, after = _around(page, name)
    return page[len(before) : len(page) - len(after)]


def put(page: str, name: str, content: str) -> str:
    """The page with another content of the block."""
    before, after = _around(page, name)
    return f"{before}{content}{after}"


def _around(page: str, name: str) -> tuple[str, str]:
    start, end = f"<!-- {name} -->\n```text\n", f"```\n<!-- /{name} -->"
    before, rest = page.split(start)
    return before + start, end + rest.split(end)[1]


def main() -> None:
    """Write all blocks."""
    run = record.read(kept.LAST)
    screen = first_screen(run)
    for file, name, content in (
        (PAGE, "run-output", screen),
        (PAGE, "counts-output", counts(run)),
        (README, "run-output", screen),
    ):
        file.write_text(put(file.read_text(encoding="utf-8"), name, content), encoding="utf-8")


if __name__ == "__main__":
    main()
