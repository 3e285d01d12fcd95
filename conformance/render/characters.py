"""Characters that a document cannot hold, or that a terminal would obey, taken out of what a framework said."""

from __future__ import annotations

import re

#: What XML 1.0 cannot hold (section 2.2), not even escaped: controls except tab and ends of lines, and surrogates; and
#: the controls of ISO 6429 that it can hold.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """`text` with U+FFFD in place of every control character and all that XML 1.0 cannot hold."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
