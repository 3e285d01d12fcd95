"""What deviates, element by element: `recorded/BACKEND.tsv`, sorted, written by a command alone, read as a diff.

Tab-separated, a header, then one line for elements of one case that deviate alike:

problem     the file in `known/` that explains it, or `-`
entry       entry point
modes       execution modes, joined by commas
device      device
cause       quantity, region and signature of the cause
case        case
dtype       dtype of the inputs
quantities  checked quantities, joined by commas
as          words, joined by `|`; after `inexact` perhaps `<1eN`: errors of this cause and dtype stay below, in ULP of
            the returned dtype
elements    names, joined by spaces; one with `?` deviates under some instruction sets only
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from conformance.errors import at
from conformance.ids import CauseId, CheckId, ImplementationId
from conformance.numbers.formats import FORMATS
from conformance.numbers.measurement import CLASSES
from conformance.plan.domain import REGIONS
from conformance.quantities import QUANTITIES
from conformance.yamlfile import read_text

#: What a finding can be (`judge.Finding.what`).
WHATS = (
    *(name for name in CLASSES if name != "ok"),
    *("raised", "accepted", "unsupported", "crashed", "timed-out"),
    *("result-dtype", "result-shape", "changed", "differs", "field"),
)
#: The word of a record for a finite number outside the budget, and the classes that it stands for: what a cancelled,
#: saturated or narrow step leaves is inaccurate, 0, flushed or of the other sign as a kernel happens to round, and it
#: is the same mistake.
INEXACT = "inexact"
INEXACT_CLASSES = frozenset({"inaccurate", "zero", "sign", "flushed"})

#: What an element is recorded as: a word, or several joined by `|`.
WORDS = (INEXACT, *(name for name in WHATS if name not in INEXACT_CLASSES))

#: In place of the problem of a line that none explains.
UNEXPLAINED = "-"

COLUMNS = ("problem", "entry", "modes", "device", "cause", "case", "dtype", "quantities", "as", "elements")
_SIZE = re.compile(r"<1e([0-9]{1,3})\Z")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a file; `magnitude` is the exponent of a power of ten, None where no errors are measured."""

    problem: str
    cause: str
    modes: tuple[str, ...]
    device: str
    case: str
    dtype: str
    quantities: tuple[str, ...]
    words: tuple[str, ...]
    magnitude: int | None
    elements: tuple[str, ...]
    sometimes: frozenset[str]

    @cached_property
    def id(self) -> CauseId:
        """The cause, taken apart."""
        return CauseId.parse(self.cause)

    @cached_property
    def classes(self) -> frozenset[str]:
        """The classes of findings that the line allows."""
        words = frozenset(self.words)
        return words | INEXACT_CLASSES if INEXACT in words else words

    def takes(self, implementation: str) -> bool:
        """Whether the line is about an implementation."""
        one = ImplementationId.parse(implementation)
        return one.mode in self.modes and one.family == self.id.family and one.device == self.device

    def has(self, check: CheckId, element: str) -> bool:
        """Whether the line is about an element of a check."""
        return (
            (check.case, check.dtype) == (self.case, self.dtype)
            and check.quantity in self.quantities
            and element in self.elements
            and self.takes(check.implementation)
        )

    @property
    def implementations(self) -> Iterator[str]:
        """The implementations that the line is about."""
        return (f"{self.id.family}/{mode}/{self.device}" for mode in self.modes)


def read(folder: Path, backends: Iterable[str] | None = None) -> tuple[Row, ...]:
    """The lines of the files of a folder, or of those of some backends; none where there is no such folder.

    Raises InputError with file and line for what is no such line.
    """
    wanted = None if backends is None else frozenset(backends)
    files = [file for file in sorted(folder.glob("*.tsv")) if wanted is None or file.stem in wanted]
    return tuple(row for file in files for row in _read_file(file))


def _read_file(file: Path) -> Iterator[Row]:
    *lines, rest = read_text(file).removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if tuple((lines or [rest])[0].split("\t")) != COLUMNS:
        raise at(file, 1, f"the first line must name the columns {' '.join(COLUMNS)}", "`known update` writes the file")
    if rest:
        raise at(
            file, len(lines) + 1, f"the file ends within a line (got {rest[-40:]!r})", "fetch the whole file again"
        )
    backend = file.stem
    for number, line in enumerate(lines[1:], 2):
        if line:
            try:
                yield _row(backend, line)
            except ValueError as error:
                raise at(file, number, str(error)) from None


def _row(backend: str, line: str) -> Row:
    """Raises ValueError for what is no row."""
    cells = line.split("\t")
    if len(cells) != len(COLUMNS) or not all(cells):
        raise ValueError(f"must have {len(COLUMNS)} cells joined by tabs, none empty (got {len(cells)})")
    problem, entry, modes, device, cause, case, dtype, quantities, seen, elements = cells
    if "/" in entry or "/" in device:
        raise ValueError(f"entry and device must hold no slash (got {entry!r} and {device!r})")
    if cause.count("/") != 2 or cause.split("/")[1] not in REGIONS:
        raise ValueError(f"cause must be quantity/region/signature, region one of {', '.join(REGIONS)} (got {cause!r})")
    if dtype not in FORMATS:
        raise ValueError(f"dtype must be one of {', '.join(FORMATS)} (got {dtype!r})")
    words, magnitude = _words(seen)
    marked = [name[:-1] for name in elements.split(" ") if name[-1:] == "?"] if "?" in elements else ()
    return Row(
        problem=problem,
        cause=f"{backend}/{entry}/{cause}",
        modes=tuple(modes.split(",")),
        device=device,
        case=case,
        dtype=dtype,
        quantities=_quantities(quantities),
        words=words,
        magnitude=magnitude,
        elements=tuple(elements.replace("?", "").split(" ")),
        sometimes=frozenset(marked),
    )


@cache  # thousands of lines have some hundreds of cells
def _quantities(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    for name in names:
        if name not in QUANTITIES:
            raise ValueError(f"quantity {name!r} is not one of {', '.join(QUANTITIES)}")
    return names


@cache
def _words(text: str) -> tuple[tuple[str, ...], int | None]:
    size = _SIZE.search(text)
    words = tuple(text[: size.start()].split("|") if size else text.split("|"))
    for word in words:
        if word not in WORDS:
            raise ValueError(f"must be one of {', '.join(WORDS)}, or several with | (got {word!r})")
    if size and INEXACT not in words:
        raise ValueError(f"only {INEXACT} has a size (got {text!r})")
    return words, int(size[1]) if size else None


def text(rows: Sequence[Row]) -> str:
    """The file of rows of one backend, sorted."""
    return "\n".join(["\t".join(COLUMNS), *sorted(map(_line, rows))]) + "\n"


def _line(row: Row) -> str:
    size = "" if row.magnitude is None else f"<1e{row.magnitude}"
    cells = (
        *(row.problem, row.id.entry, ",".join(row.modes), row.device),
        *("/".join(row.id[2:]), row.case, row.dtype, ",".join(row.quantities)),
        "|".join(row.words) + size,
        " ".join(f"{name}?" if name in row.sometimes else name for name in row.elements),
    )
    return "\t".join(cells)


#: In the folder, the instruction sets of the machines on which runs were made for it, one a line.
INSTRUCTION_SETS = "instruction-sets.txt"


def instruction_sets(folder: Path) -> tuple[str, ...]:
    """The lines of INSTRUCTION_SETS in a folder; none where there is no such file."""
    file = folder / INSTRUCTION_SETS
    return tuple(read_text(file).splitlines()) if file.is_file() else ()
