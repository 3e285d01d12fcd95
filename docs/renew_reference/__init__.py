"""The pages of docs/reference/, written from the code that they describe: `python -m docs.renew_reference`.

The pages are kept in the repository, so that they read on GitHub and every change of them is seen in a review;
`tests/test_shipped.py` compares them with what is generated.  No framework is imported.
"""

from __future__ import annotations

from pathlib import Path

from conformance.plan import cases
from conformance.run import run as runs
from docs.renew_reference import case_pages, command_page, contract_page, entry_points, flag_page, schema_page

ROOT = Path(__file__).resolve().parent.parent.parent

FOLDER = ROOT / "docs" / "reference"


def pages() -> dict[str, str]:
    """Every page by its path below docs/reference/."""
    suite = cases.load_suite(ROOT / "cases")
    with runs.open_pool(runs.Options()) as pool:
        implementations = [one for backend in pool.discover() for one in backend.implementations]
    return {
        "entry-points.md": entry_points.page(implementations),
        "contract-fields.md": contract_page.page(suite, implementations),
        "cases.md": case_pages.overview(suite),
        **{f"cases/{family}.md": case_pages.page(suite, family) for family in suite.families},
        "flags.md": flag_page.page(suite),
        "commands.md": command_page.page(),
        "schemas.md": schema_page.page(),
    }
