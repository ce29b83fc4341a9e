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
