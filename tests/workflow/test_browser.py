"""Each kind of page of a finished demo in Chromium: accessible, and no wider than what shows it.

axe looks for what keeps people from reading a page: contrast, names, headings, landmarks, keyboard.
It comes from npm (`make test-pages` installs it into tests/axe).
"""

import html
import json
import re
import shutil
import subprocess

import pytest
import small_pages
from conftest import ROOT

AXE = ROOT / "tests/axe/node_modules/axe-core/axe.min.js"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not BROWSER, reason="no Chromium on this machine"),
    pytest.mark.skipif(not AXE.exists(), reason="no axe-core in tests/axe (make test-pages)"),
]
WIDE, NARROW, SHEET = 1300, 400, 1047  # pixels; the last is A4 across without its margins
SCHEMES = {"dark": 0, "light": 1}  # as Blink numbers them
# Reports from inside a page to the page that frames it, since files may not read each other.
PROBE = """<script>
addEventListener("load", () => setTimeout(async () => {
  const found = location.search === "?axe" ? await axe.run() : { violations: [] };
  const said = found.violations.map((v) => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)]);
  const wide = [...document.querySelectorAll("body *")].find((one) =>
    one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll"));
  const over = document.documentElement.scrollWidth > innerWidth;
  const shown = over ? (wide ?? document.body).outerHTML.slice(0, 200) : "";
  parent.postMessage({ said, over: shown }, "*");
}, 800));
</script>"""
FRAME = """<!doctype html><title>Frame</title><pre id="found"></pre>
<iframe width="{width}" height="900" src="{name}{query}"></iframe>
<script>addEventListener("message", ({{ data }}) => {{
  document.getElementById("found").textContent = JSON.stringify(data);
}});</script>"""


def probed(page, folder, width, scheme="light", axe=False):
    """What a browser says of a page of that width: violations, and what is wider than it."""
    text = page.read_text(encoding="utf-8") if hasattr(page, "read_text") else page
    script = f"<script>{AXE.read_text(encoding='utf-8')}</script>" if axe else ""
    (folder / "page.html").write_text(text + script + PROBE, encoding="utf-8")
    frame = FRAME.format(width=width, name="page.html", query="?axe" if axe else "")
    (folder / "frame.html").write_text(frame, encoding="utf-8")
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         f"--window-size={width + 50},1000", f"--user-data-dir={folder / 'profile'}",
         f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
         "--virtual-time-budget=60000", "--dump-dom", (folder / "frame.html").as_uri()],
        check=True, capture_output=True, text=True, encoding="utf-8", timeout=180,
    ).stdout  # fmt: skip
    (found,) = re.findall(r'<pre id="found">(.*?)</pre>', done, re.S)
    assert found, "the page said nothing"
    found = json.loads(html.unescape(found))
    return found["said"], found["over"]


@pytest.fixture(scope="module")
def kinds(demo, tmp_path_factory):
    """A page of each kind, by the class of its body; of kinds that no demo has, small ones."""
    folder = tmp_path_factory.mktemp("small")
    small_pages.write_multiverse(small_pages.multiverse_files(folder), folder)
    small_pages.write_whom(small_pages.whom_inputs(folder), folder)
    small_pages.write_detection(folder)
    found = {}
    for path in sorted(demo.rglob("*.html")) + sorted(folder.iterdir()):
        kind = re.search(r'<body class="(\w+)"', path.read_text(encoding="utf-8"))
        if kind:
            found.setdefault(kind[1], path)
    assert set(found) >= {
        "front_page", "row_page", "subject_page", "subjects_page", "table1", "figure_page",
        "detection_page", "multiverse_page", "whom",
    }  # fmt: skip
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_no_violation(kinds, tmp_path, scheme):
    found = {kind: probed(page, tmp_path, WIDE, scheme, True)[0] for kind, page in kinds.items()}
    assert {kind: said for kind, said in found.items() if said} == {}


def test_no_page_is_wider_than_a_telephone(kinds, tmp_path):
    found = {kind: probed(page, tmp_path, NARROW)[1] for kind, page in kinds.items()}
    assert {kind: over for kind, over in found.items() if over} == {}


def test_no_page_is_wider_than_a_sheet(kinds, tmp_path):
    found = {}
    for kind, page in kinds.items():
        text = page.read_text(encoding="utf-8")
        # As on paper: nothing scrolls, so that what is too wide would be cut off.
        on_paper = text.replace("@media print", "@media all")
        assert on_paper != text
        found[kind] = probed(on_paper, tmp_path, SHEET)[1]
    assert {kind: over for kind, over in found.items() if over} == {}


BAD = """<!doctype html><html><head><title>T</title></head><body><main><h1>T</h1>
<p style="color: #ccc; background: #fff">pale</p>
<div style="width: 700px">wide</div></main></body></html>"""


def test_what_is_wrong_is_noticed(tmp_path):
    said, over = probed(BAD, tmp_path, NARROW, axe=True)
    assert {name for name, _, _ in said} == {"color-contrast", "html-has-lang"}
    assert "wide" in over
    assert probed(BAD, tmp_path, WIDE)[1] == ""
