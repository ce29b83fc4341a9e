"""The page of a figure."""

import re

import pytest

from uad.report import figure_page


@pytest.mark.parametrize(("name", "kind"), [("cases_brats.png", "png"), ("w.svg", "svg+xml")])
def test_a_figure_and_its_caption(tmp_path, name, kind):
    (tmp_path / name).write_bytes(b"picture")
    path = (tmp_path / name).with_suffix(".html")
    figure_page.write(path, tmp_path / name, "cases <BRATS>", "All *of it*.\n\nGood: 1 < 2.", True)
    text = path.read_text(encoding="utf-8")
    assert f"data:image/{kind};base64,cGljdHVyZQ==" in text
    assert "<h1>Figure: cases &lt;BRATS&gt;</h1>" in text and "Computed on simulated" in text
    assert "<p><b>Good:</b> 1 &lt; 2.</p>" in text and "All <i>of it</i>." in text
    assert re.findall(r'<a href="([^"]*)"', text) == ["../index.html", name]
