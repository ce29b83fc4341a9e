"""Templates of pages: what they are made of, escaping, and no HTML outside them."""

import ast
import re

import jinja2
import pytest
from conftest import ROOT

from uad.base.digests import LIBRARY
from uad.report import pages

PAGES = sorted(path.name for path in pages.FOLDER.glob("*.html.j2"))
SHARED = {"base.html.j2", "macros.html.j2", "style.css"}
TAGS = (
    "a|b|body|br|button|code|dd|details|div|dl|dt|em|figcaption|figure|h[1-6]|head|html|i|img|li|"
    "link|main|meta|ol|p|path|rect|script|section|small|span|strong|style|sub|summary|sup|svg|"
    "table|tbody|td|text|th|thead|title|tr|tspan|ul"
)
TAG = re.compile(rf"(?<!\?P)<(?:!doctype|/?(?:{TAGS})(?=[\s/>]))", re.IGNORECASE)


def html_in(source):
    """Line numbers of strings with tags; docstrings, and patterns that read pages, are none."""
    tree = ast.parse(source)
    passed_over = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            passed_over.add(body[0].value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func)
            if called.startswith("re.") and node.args:
                passed_over.add(node.args[0])
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node not in passed_over
        and TAG.search(node.value)
    ]


def test_no_html_outside_of_templates():
    found = {
        f"{path.relative_to(LIBRARY)}:{line}"
        for path in LIBRARY.rglob("*.py")
        for line in html_in(path.read_text(encoding="utf-8"))
    }
    assert not found


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("x = '<p>a</p>'", [1]),
        ("\nx = f'{a}</td>'", [2]),
        ("x = f'<tr class={a}>'", [1]),
        ("def f():\n    'Writes <p>.'\n    return '<sub>'", [3]),
        ("import re\nre.compile('<a href')", []),
        ("x = '<results>/<file>', r'(?P<a>x)', 'a < b > c', '<path-like>'", []),
    ],
)
def test_how_html_is_found(source, lines):
    assert html_in(source) == lines


@pytest.mark.parametrize("name", [*PAGES, "table1.tex.j2"])
def test_every_template_can_be_compiled(name):
    pages._environment_of(name).get_template(name)


def test_templates_of_a_page():
    def names(page):
        return {path.name for path in pages.templates_of(page)}

    assert names("table1.html.j2") == SHARED | {"table1.html.j2"}
    assert names("quality_page.html.j2") == SHARED | {"quality_page.html.j2", "sortable.js"}
    assert names("table1.tex.j2") == {"table1.tex.j2"}
    assert all(path.is_file() for path in pages.templates_of("quality_page.html.j2"))
    # Each is used by some page.
    used = set().union(*map(names, [*PAGES, "table1.tex.j2"]))
    assert used == {path.name for path in pages.FOLDER.iterdir()}


def test_a_template_that_is_chosen_while_writing_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(pages, "FOLDER", tmp_path)
    (tmp_path / "a.html.j2").write_text('{% include "b.html.j2" %}')
    (tmp_path / "b.html.j2").write_text("{% include which %}")
    with pytest.raises(ValueError, match="b.html.j2 chooses a template by an expression"):
        pages.templates_of("a.html.j2")


def test_pages_are_named_as_the_modules_that_write_them():
    """By this a rule's digest finds the templates of the modules that its script imports."""
    modules = {
        path.stem for name in ("report", "predict") for path in (LIBRARY / name).glob("*.py")
    }
    others = {"base", "macros", "report_link", "viewer"}
    assert {name.partition(".")[0] for name in PAGES} - others <= modules


def test_a_page(tmp_path):
    line = {"topic": "<T>", "config_keys": [], "here": "é", "as_": ""}
    line |= {"paper": "a & b", "paper_at": "", "code": "–", "code_of": ""}
    path = tmp_path / "new/d.html"
    values = {"title": "A < B", "lines": [line]}
    pages.write(path, "departures.html.j2", simulated=True, warnings=["W <1>"], **values)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>\n<html") and text.endswith("</body></html>\n")
    assert "<title>A &lt; B</title>" in text and "<h1>A &lt; B</h1>" in text
    assert "<td>&lt;T&gt;</td><td>a &amp; b</td>" in text and "é" in text
    assert re.findall(r'<p class="warning">(.*?)</p>', text) == [pages.SIMULATED, "W &lt;1&gt;"]
    assert '<body class="departures">' in text and ".departures td {" in text
    assert "{%" not in text and "{{" not in text and "{#" not in text
    assert list(tmp_path.rglob("*.html")) == [path]


def test_a_value_that_is_missing_is_an_error_and_leaves_no_file(tmp_path):
    with pytest.raises(jinja2.UndefinedError, match="lines"):
        pages.write(tmp_path / "d.html", "departures.html.j2", title="T", simulated=False)
    assert not list(tmp_path.iterdir())


def test_every_rule_of_the_style_sheet_for_one_page_names_a_page():
    style = (pages.FOLDER / "style.css").read_text()
    names = {name.partition(".")[0] for name in PAGES}
    kinds = set(re.findall(r"^\.(\w+) ", style, re.M))
    shared = {"warning", "scroll", "planes", "controls", "legend", "strip", "unseen"}
    assert kinds - shared <= names


MACROS = "{% import 'macros.html.j2' as m %}"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("m.subscripted('SADM_res − <row>')", "SADM<sub>res</sub> − &lt;row&gt;"),
        ("m.subscripted('cDDPM')", "cDDPM"),
        ("m.subscripted('SADM_res, x')", "SADM<sub>res</sub>, x"),
        ("m.heading('Dice_val\n1 %')", "Dice<sub>val</sub><br>1 %"),
        ("m.prose('a `b` <c> `d_e`.')", "a <code>b</code> &lt;c&gt; <code>d_e</code>."),
        ("m.prose('one ` only')", "one ` only"),
    ],
)
def test_macros(call, text):
    environment = pages._environment_of("a.html.j2")
    assert environment.from_string(f"{MACROS}{{{{ {call} }}}}").render().strip() == text


def test_templates_lie_in_the_package():
    assert (ROOT / "src/uad/report/templates") == pages.FOLDER


def test_styles_of_a_class_are_of_nothing_else():
    """A list of selectors that begins with a class has one in each, or it reaches other pages."""
    style = re.sub(r"/\*.*?\*/", "", (pages.FOLDER / "style.css").read_text(), flags=re.DOTALL)
    lists = [
        [selector.strip() for selector in re.split(r",(?![^(]*\))", selectors)]
        for selectors in re.findall(r"([^{};]+)\{", style)
    ]
    of_classes = [each for each in lists if each[0].startswith(".") and len(each) > 1]
    assert len(of_classes) > 10
    assert [each for each in of_classes if not all(s.startswith(".") for s in each)] == []
