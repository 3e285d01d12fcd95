"""The site of docs/: it builds without a warning, every link leads somewhere, and nothing comes from the network.

Sphinx checks links by its own account of what it writes; here the written HTML is read back by the parser of the
standard library.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: What a browser fetches when it opens a page: element, attribute.
FETCHED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}

#: Links of `link` elements that only name another page.
NAMED = {"index", "search", "next", "prev", "canonical", "license"}

STYLE = re.compile(r"(?:url\(|@import)\s*[\"']?\s*(?:https?:)?//")

pytestmark = pytest.mark.slow


@dataclass
class Page(HTMLParser):
    """What a page links to, what it has a browser fetch, and the anchors that it holds."""

    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Parse character references, as browsers do."""
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids, links and what is fetched."""
        values = dict(attrs)
        self.anchors |= {value for name, value in attrs if name == "id" and value}
        for name, value in attrs:
            if value and (tag, name) == ("a", "href"):
                self.links.append(value)
            elif value and (tag, name) in FETCHED and values.get("rel") not in NAMED:
                self.fetched.append(value)


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """`make docs`, of another source folder or into another place."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-c", "docs", source, target]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    target = tmp_path_factory.mktemp("site")
    done = build(ROOT, target)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page, parsed."""
    found = {}
    for file in site.rglob("*.html"):
        if "_static" not in file.parts:
            found[file] = Page()
            found[file].feed(file.read_text(encoding="utf-8"))
    return found


def test_every_page_of_the_repository_is_on_the_site(site: Path, pages: dict[Path, Page]) -> None:
    """Markdown at the root, below docs/ and reports/; a page that no toctree names, reports aside, fails the build."""
    sources = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "reports").rglob("*.md")]
    assert len(sources) > 10
    assert {site / file.relative_to(ROOT).with_suffix(".html") for file in sources} <= set(pages)


def test_every_link_within_the_site_leads_to_a_file_and_an_anchor(site: Path, pages: dict[Path, Page]) -> None:
    """Of pages, pictures and downloads alike; the link of search results, which a script fills in, aside."""
    links = [(file, urlsplit(link)) for file, page in pages.items() for link in (*page.links, *page.fetched)]
    inner = [(file, link) for file, link in links if not link.scheme and not link.netloc]
    assert len(inner) > 500
    broken = []
    for file, link in inner:
        target = (file.parent / unquote(link.path)).resolve() if link.path else file
        known = pages.get(target)
        if not target.is_file() or (known and link.fragment and unquote(link.fragment) not in known.anchors):
            broken.append((file.relative_to(site).as_posix(), link.geturl()))
    assert broken == []


def test_no_page_asks_the_network_for_anything(site: Path, pages: dict[Path, Page]) -> None:
    """Scripts, styles, fonts and pictures lie beside the pages, so that the site reads from a disk."""
    fetched = {link for page in pages.values() for link in page.fetched}
    assert any(link.endswith(".js") or ".js?" in link for link in fetched)
    assert [link for link in fetched if urlsplit(link).netloc] == []
    styles = list(site.rglob("*.css"))
    assert styles
    assert [file.name for file in styles if STYLE.search(file.read_text(encoding="utf-8"))] == []


def test_every_link_that_leaves_the_site_is_whole(pages: dict[Path, Page]) -> None:
    """https and a host with a dot: what can be told without a network.  `make links` asks each of them."""
    outer = {link for page in pages.values() for link in page.links if urlsplit(link).scheme}
    assert len(outer) > 100
    assert [one for one in outer if not re.fullmatch(r"https://[\w-]+(\.[\w-]+)+(/\S*)?", one)] == []


#: A link that leads nowhere, and the word of it that the build must complain of: to a page, a heading, a file.
BROKEN = {"nowhere.md": "nowhere", "index.md#nothing": "nothing", "../cases/gone.yaml": "gone.yaml"}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the build of a page with all of these links complains of; to start Sphinx takes longer than the page."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "source" / "docs").mkdir(parents=True)
    links = "\n\n".join(f"[words]({link})" for link in BROKEN)
    (folder / "source" / "docs" / "index.md").write_text(f"# Title\n\n{links}\n", encoding="utf-8")
    done = build(folder / "source", folder / "site")
    assert done.returncode != 0
    return [line for line in done.stderr.splitlines() if "WARNING" in line]


@pytest.mark.parametrize(("link", "complaint"), BROKEN.items())
def test_a_broken_link_breaks_the_build(complaints: list[str], link: str, complaint: str) -> None:
    """Each is an own complaint, and any complaint is an error."""
    assert sum(complaint in line for line in complaints) == 1, complaints
