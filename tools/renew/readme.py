"""Show the last whole run in docs/a-whole-run.md and README.md: `make run`, then `python -m tools.renew.readme`."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console

from conformance.record import record
from conformance.record.record import RunRecord
from conformance.render import text
from conformance.run import kept
from tools.renew import ROOT

README = ROOT / "README.md"
PAGE = ROOT / "docs" / "a-whole-run.md"

#: What the README shows of the scoreboard: entries of some backends.
SHOWN = {
    "torch": ("binary_cross_entropy", "binary_cross_entropy_with_logits"),
    "tensorflow": ("nn.sigmoid_cross_entropy_with_logits", "losses.log_loss"),
    "jax": ("optax.sigmoid_binary_cross_entropy",),
    "keras-tensorflow": ("losses.binary_crossentropy", "losses.binary_crossentropy[from_logits]"),
}


def printed(run: RunRecord) -> str:
    """A run as `bce-conformance run` prints it where standard output is no terminal."""
    stream = io.StringIO()
    text.render(run, Console(file=stream, width=text.WIDTH, force_terminal=False))
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def scoreboard(output: str) -> str:
    """The heading of a printed scoreboard, and the rows that the README shows."""
    return "".join(f"{line}\n" for line in _rows(output.splitlines()))


def _rows(lines: list[str]) -> Iterator[str]:
    start = next(index for index, line in enumerate(lines) if line.startswith("implementation "))
    yield lines[start]
    entries: tuple[str, ...] = ()
    for line in lines[start + 1 :]:
        if not line.startswith(" "):
            entries = SHOWN.get(line, ())
        if line in SHOWN or line.strip().partition(" ")[0] in entries:
            yield line


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
    """Write both blocks."""
    output = printed(record.read(kept.LAST))
    for file, name, content in ((PAGE, "run-output", output), (README, "scoreboard", scoreboard(output))):
        file.write_text(put(file.read_text(encoding="utf-8"), name, content), encoding="utf-8")


if __name__ == "__main__":
    main()
