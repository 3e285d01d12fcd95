"""Characters that a document cannot hold, or that a terminal would obey or cannot show, and what stands for them."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable

#: What XML 1.0 cannot hold (section 2.2), not even escaped: controls except tab and ends of lines, and surrogates; and
#: the controls of ISO 6429 that it can hold.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """`text` with U+FFFD in place of every control character and all that XML 1.0 cannot hold."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


#: In ASCII, the characters that the suite itself prints.
ASCII = {
    "·": "*",
    "✓": "+",
    "✗": "x",
    "≈": "~",
    "\N{EN DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "—": "-",
    "…": "...",
    "→": "->",
    "∞": "inf",
    "≤": "<=",
    "≥": ">=",
    "×": "x",
    "±": "+-",
    "²": "^2",
    "─": "-",
    "│": "|",
}

#: The name of `_spelled` among the handlers of errors of encoding.
SPELLED = "conformance.spelled"


def spell_out(streams: Iterable[object]) -> None:
    """Let text streams whose encoding lacks a character write it as ASCII does, or "?", and not fail."""
    codecs.register_error(SPELLED, _spelled)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=SPELLED)


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(ASCII.get(one, "?") for one in lacking), error.end
