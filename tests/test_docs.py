"""The documentation hangs together: every page is reached, every link leads somewhere, generated pages are fresh."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import options_page

ROOT = Path(__file__).parents[1]
STARTS = (ROOT / "README.md", ROOT / "README.ja.md")
PAGES = (*STARTS, *sorted((ROOT / "docs").glob("*.md")))
MAX_PICTURE_BYTES = 200_000
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def links_of(page: Path) -> list[str]:
    """Addresses of a page's links and pictures that lead into the repository."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [link for link in _LINK.findall(text) if "://" not in link]


def anchors_of(page: Path) -> set[str]:
    """What `#…` may name: headings as GitHub makes them, and anchors set by hand."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path):
    broken = []
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors_of(target)
        ):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("start", STARTS, ids=lambda page: page.name)
def test_every_page_is_reached_by_links(start: Path):
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        paths = {(page.parent / link.partition("#")[0]).resolve() for link in links_of(page)}
        waiting += [path for path in paths if path.suffix == ".md" and path.exists()]
    assert {path.name for path in (ROOT / "docs").glob("*.md")} <= {path.name for path in seen}


def test_every_picture_is_small_and_used():
    used = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in links_of(page)
        if link.endswith((".jpg", ".png"))
    }
    pictures = set((ROOT / "docs" / "images").iterdir())
    assert {path.name for path in pictures - used} == set()
    assert [path.name for path in pictures if path.stat().st_size > MAX_PICTURE_BYTES] == []


def test_the_page_of_options_says_what_the_program_does():
    written = options_page.PAGE.read_text(encoding="utf-8")
    assert written == options_page.page(), "run `python -m tools.options_page`"
