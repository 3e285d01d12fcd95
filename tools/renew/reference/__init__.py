"""The pages of docs/reference/, written from the code that they describe.

The pages are kept in the repository, so that they read on GitHub and every change of them is seen in a review.
No framework is imported.
"""

from __future__ import annotations

from conformance.plan import cases
from conformance.run import run as runs
from tools.renew import ROOT
from tools.renew.reference import case_page, command_page, contract_page, entry_points, flag_page, schema_page

FOLDER = ROOT / "docs" / "reference"


def files() -> dict[str, str]:
    """Every page by its path in the repository."""
    return {(FOLDER / name).relative_to(ROOT).as_posix(): text for name, text in _pages().items()}


def _pages() -> dict[str, str]:
    """Every page by its path below docs/reference/."""
    suite = cases.load_suite(ROOT / "cases")
    with runs.open_pool(runs.Options()) as pool:
        implementations = [one for backend in pool.discover() for one in backend.implementations]
    return {
        "entry-points.md": entry_points.page(implementations),
        "contract-fields.md": contract_page.page(suite, implementations),
        "cases.md": case_page.page(suite),
        "flags.md": flag_page.page(suite),
        "commands.md": command_page.page(),
        "schemas.md": schema_page.page(),
    }
