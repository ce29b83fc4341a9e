"""Tables read back as written, or not at all."""

import pandas as pd
import pytest

from uad.base import tsv
from uad.base.errors import InputError

TABLE = pd.DataFrame(
    {
        "subject": ["007", "S2"],
        "remark": ['a "word", and\ta tab\nin two lines', None],
        "value": [0.123456789, float("nan")],
    }
)


@pytest.fixture
def path(tmp_path):
    tsv.write(TABLE, tmp_path / "t.tsv")
    return tmp_path / "t.tsv"


def test_a_table_reads_back(path):
    found = tsv.read(path)
    assert list(found["subject"]) == ["007", "S2"]
    assert found["remark"][0] == TABLE["remark"][0] and pd.isna(found["remark"][1])
    assert found["value"][0] == pytest.approx(0.123457) and pd.isna(found["value"][1])


@pytest.fixture
def sealed(tmp_path):
    tsv.write(TABLE, tmp_path / "sealed.tsv", sealed=True)
    return tmp_path / "sealed.tsv"


def test_a_sealed_table_reads_back_without_its_seal(path, sealed):
    pd.testing.assert_frame_equal(tsv.read(sealed), tsv.read(path))
    assert sealed.read_text().count("\tcrc32:") == 2
    tsv.write(TABLE[:0], sealed, sealed=True)
    assert list(tsv.read(sealed).columns) == list(TABLE.columns)
    tsv.write(tsv.read(path), path, sealed=True)
    tsv.write(TABLE, sealed, sealed=True)
    assert path.read_bytes() == sealed.read_bytes()


@pytest.mark.parametrize(
    ("text", "becomes"),
    [("0.123457", "0.123458"), ("007", "008"), ("value", "other"), ("in two", "in too")],
)
def test_no_other_content_passes_for_what_was_sealed(sealed, text, becomes):
    content = sealed.read_text()
    assert content.count(text) == 1
    sealed.write_text(content.replace(text, becomes))
    with pytest.raises(InputError, match=f"^{sealed}: is not as it was written"):
        tsv.read(sealed)


def test_no_line_of_a_sealed_table_can_be_missing_or_in_another_place(sealed):
    tsv.write(TABLE.assign(remark="x"), sealed, sealed=True)
    header, first, last = sealed.read_text().splitlines(keepends=True)
    for lines in (
        [header, first],
        [header, last],
        [header],
        [header, last, first],
        [header, first, last, last],
    ):
        sealed.write_text("".join(lines))
        with pytest.raises(InputError, match=f"^{sealed}: is not as it was written"):
            tsv.read(sealed)


def test_a_table_without_lines_reads_back(path):
    tsv.write(TABLE[:0], path)
    assert list(tsv.read(path).columns) == list(TABLE.columns) and tsv.read(path).empty


def test_no_beginning_of_a_file_passes_for_the_file(path):
    content = path.read_bytes()
    header = content.index(b"\n") + 1
    line = content.index(b"0.123457\n") + len(b"0.123457\n")
    for end in range(len(content)):
        path.write_bytes(content[:end])
        if end in (header, line):  # whole lines: what is missing only its reader can know
            assert len(tsv.read(path)) == (end == line)
            continue
        with pytest.raises(InputError, match=f"^{path}: "):
            tsv.read(path)


@pytest.mark.parametrize(
    "content", [b"\xff\xfea\tb\n", b"a\tb\n1\n", b"a\tb\n1\t2\t3\n", b"a\n\n", b"\n"]
)
def test_damage_is_named(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: "):
        tsv.read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.tsv: no such file"):
        tsv.read(tmp_path / "none.tsv")
