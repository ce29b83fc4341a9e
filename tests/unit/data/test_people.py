"""Sexes of IXI's spreadsheet."""

import pandas as pd
import pytest
import xlwt

from uad.base.errors import InputError
from uad.data import people


def sheet(path, table):
    book = xlwt.Workbook()
    page = book.add_sheet("Table")
    for column, name in enumerate(table):
        page.write(0, column, name)
        for line, value in enumerate(table[name], start=1):
            if not pd.isna(value):
                page.write(line, column, value)
    book.save(str(path))
    return path


def test_sexes(tmp_path):
    table = {"IXI_ID": [1, 2, 2, 3, 4], "SEX_ID (1=m, 2=f)": [1, 2, 1, float("nan"), 9]}
    found = people.sexes(sheet(tmp_path / "IXI.xls", table))
    assert found == {"IXI001": "male", "IXI002": "female"}  # the first of repeated lines


def test_without_the_column_nothing_is_known(tmp_path):
    assert people.sexes(sheet(tmp_path / "IXI.xls", {"IXI_ID": [1], "AGE": [30]})) == {}


def test_what_is_no_spreadsheet(tmp_path):
    (tmp_path / "IXI.xls").write_text("no")
    with pytest.raises(InputError, match="IXI.xls: cannot be read as IXI demographics"):
        people.sexes(tmp_path / "IXI.xls")
