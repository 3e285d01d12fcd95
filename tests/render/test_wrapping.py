"""Lines in the width that there is: everything stays, and names are broken at their joints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from conformance.render.wrapping import HANG, wrap
from tests.builders import deterministic


def plain(line: str, width: int) -> list[str]:
    """The lines without their colours."""
    return [part.plain for part in wrap(Text(line), width)]


@deterministic
@given(st.text(alphabet="ab/_.: 損\u0301", max_size=80), st.integers(10, 40))
def test_no_line_is_longer_and_nothing_is_lost(line: str, width: int) -> None:
    """Blanks at a break aside."""
    parts = plain(line, width)
    assert all(cell_len(part) <= width for part in parts)
    assert "".join("".join(parts).split()) == "".join(line.split())


def test_what_goes_on_below_is_indented_further() -> None:
    """So that the next line that begins is seen."""
    assert plain("  aaaa bbbb cccc", 11) == ["  aaaa bbbb", f"{' ' * 5}cccc"]
    assert plain("  aaaa bbbb cccc dddd", 14) == ["  aaaa bbbb", f"{' ' * (2 + HANG)}cccc", f"{' ' * (2 + HANG)}dddd"]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("torch/nn.functional.loss", ["torch/nn.", "    functional.", "    loss"]),
        ("see torch/nn.loss", ["see torch/nn.", "    loss"]),
        ("a" * 20, ["a" * 12, "    " + "a" * 8]),
    ],
)
def test_a_name_that_has_no_line_of_its_own_is_broken_after_a_separator(line: str, parts: list[str]) -> None:
    """In its middle only where it has none."""
    assert plain(line, 16) == parts


def test_what_a_terminal_would_obey_is_taken_out() -> None:
    """What a framework said may hold colours of its own, and ends of lines."""
    assert plain("got \x1b[31mred\nnext", 40) == ["got \N{REPLACEMENT CHARACTER}[31mred next"]


def test_a_line_that_fits_stays_as_it_is() -> None:
    """With its colours."""
    (line,) = wrap(Text.assemble(("new", "bold red"), " one"), 7)
    assert (line.plain, line.spans[0].style) == ("new one", "bold red")
