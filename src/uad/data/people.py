"""What IXI's spreadsheet says of people besides their age.

Apart from `uad.data.datasets.ixi`, whose code decides what is packed and so trained on.
"""

from pathlib import Path

import pandas as pd

from uad.base.errors import InputError

SEXES = {1: "male", 2: "female"}  # "SEX_ID (1=m, 2=f)"


def sexes(path: Path | str) -> dict[str, str]:
    """Sex of each subject of ``IXI.xls`` that has one; empty without such a column.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        sheet = pd.read_excel(path)
        ids = sheet["IXI_ID"].astype(int).map("IXI{:03d}".format)
    except Exception as error:  # missing column, wrong format, damaged file
        raise InputError(f"{path}: cannot be read as IXI demographics ({error})") from error
    columns = [name for name in sheet if str(name).startswith("SEX_ID")]
    if not columns:
        return {}
    found = dict(zip(ids[::-1], sheet[columns[0]][::-1].map(SEXES)))  # the first of repeated lines
    return {subject: sex for subject, sex in found.items() if isinstance(sex, str)}
