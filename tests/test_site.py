"""The documentation as a site: what MkDocs will be given. `make docs-site` builds it, strictly."""

import re
import subprocess

import pytest
import yaml
from conftest import ROOT

SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def pages(nav):
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from pages(value) if isinstance(value, list) else [value]


def test_every_page_is_reached_from_the_start_page_in_two_clicks():
    """The list at the left is on every page; what it does not have, a page in it links to."""
    named = set(pages(SITE["nav"]))
    missing = {name for name in named if not (ROOT / name).is_file()}
    assert missing == {"reference/index.md"}  # made by docs/site.py
    linked = set()
    for name in named - missing:
        text = (ROOT / name).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#:\s]+\.md)", text):
            linked.add((ROOT / name).parent.joinpath(link).resolve())
    for page in (ROOT / "docs").glob("*.md"):
        assert f"docs/{page.name}" in named or page in linked, page


def test_asks_no_other_host():
    assert SITE["theme"]["font"] is False and "offline" in SITE["plugins"]


MARKDOWN = subprocess.check_output(["git", "ls-files", "*.md"], cwd=ROOT, text=True).splitlines()


@pytest.mark.parametrize("name", MARKDOWN)
def test_links_lead_somewhere(name):
    """Files and folders that a page links to are there, and the headings in them."""
    page = ROOT / name
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for link, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)", text):
        target = (page.parent / link).resolve() if link else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in headings(target), f"{link}#{anchor}"


def headings(path):
    """Anchors as GitHub and MkDocs make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.*)$", text, flags=re.M)
    plain = [re.sub(r"[^\w\- ]", "", title.lower()).strip() for title in titles]
    return {re.sub(r" +", "-", title) for title in plain}
