"""A run as one JSON document: answer, problems, header, scoreboard, causes, tolerances, footer; and certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from conformance.diagnosis.why import of_new
from conformance.record.harms import harms
from conformance.record.problems import problems
from conformance.record.record import RunRecord
from conformance.record.summary import causes, scoreboard
from conformance.render import answer, comparison
from conformance.render.comparison import Compared
from conformance.sweep.certificate import Certificate


def document(record: RunRecord) -> dict[str, Any]:
    """The document as plain data, the answer first.

    A cause has a sentence that says `why` where there is one, as new findings have.
    """
    why = of_new(record)
    weighed = harms(record)
    return {
        "interrupted": record.interrupted,
        "answer": [
            {
                "entry": row.name,
                "words": {kind.word: word for kind, word in row.words.items()},
                "problem": row.said.problem,
            }
            for row in answer.answered(record, weighed)
        ],
        "problems": [
            msgspec.to_builtins(one.line)
            | {
                "harm": one.worst.word,
                "harms": {harm.word: count for harm, count in one.harms.items()},
                "entries": list(one.entries),
                "dtypes": list(one.dtypes),
                "elements": one.elements,
                "command": one.example.command,
            }
            for one in problems(record, weighed)
        ],
        "header": msgspec.to_builtins(record.header),
        "scoreboard": [asdict(row) for row in scoreboard(record)],
        "causes": [
            {
                key: list(value) if key in ("dtypes", "implementations") else value
                for key, value in asdict(one).items()
                if not key.startswith("_")
            }
            | {"why": why.get(one.cause, ""), "harm": one.harm.word}
            for one in causes(record)
        ],
        "tolerances": msgspec.to_builtins(record.tolerances),
        "speeds": msgspec.to_builtins(record.speeds),
        "footer": msgspec.to_builtins(record.footer),
    }


def render(record: RunRecord, compared: Compared | None = None) -> str:
    """The document as text, with what changed from a baseline where it was compared with one."""
    return _text(document(record) | ({"comparison": comparison.document(*compared)} if compared is not None else {}))


def with_certificates(record: RunRecord | None, certificates: Sequence[Certificate]) -> str:
    """The document as text, of a run or of none, with certificates as their files have them."""
    return _text((document(record) if record is not None else {}) | {"certificates": certificates})


def _text(whole: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"
