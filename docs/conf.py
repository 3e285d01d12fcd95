"""How Sphinx makes the site: `make docs` writes it to build/site.

The source folder is the root of the repository, so that README, CONTRIBUTING and CHANGELOG are pages, too, and Sphinx
checks the links of every page.  All pages are Markdown as it stands in the repository, and read on GitHub as well.
"""

from __future__ import annotations

from typing import Any

from conformance import __version__

project = "bce-conformance"
author = "the bce-conformance contributors"
copyright = author  # a year would change the pages without a change of the sources
version = release = __version__

extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "reports/**.md"]
# Folders that hold no page are not walked through: a virtual environment has a hundred thousand files.
exclude_patterns = [".*", "build", "cases", "conformance", "dist", "known", "reference", "tests", "tools"]
# The pages print options such as --all and quotations to the letter.
smartquotes = False
# A heading is an anchor, named as GitHub names it, so that one link serves both.
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"bce-conformance {__version__}"
html_extra_path = ["front"]  # index.html, which leads to docs/index.html
html_copy_source = False
html_show_sourcelink = False
# No page asks the network for anything, so that the site reads from a disk: mathematics is written in plain Unicode,
# and furo brings its own style and takes the fonts of the system (tests/docs/test_site.py looks at what was built).

# `make links`, which needs a network and is not part of the gate.
linkcheck_timeout = 20
linkcheck_retries = 2
# GitHub and TensorFlow's pages make lines and headings by script, so that a fetched page does not hold their anchors.
linkcheck_anchors_ignore_for_url = [r"https://github\.com/.*", r"https://www\.tensorflow\.org/.*"]


def setup(app: Any) -> None:
    """A single report is no entry of the contents: the table of reports leads to it."""
    app.connect("doctree-read", _orphaned)


def _orphaned(app: Any, doctree: Any) -> None:
    if app.env.docname.startswith("reports/") and app.env.docname.endswith("/issue"):
        app.env.metadata[app.env.docname]["orphan"] = True
