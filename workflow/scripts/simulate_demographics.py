"""Rule simulate_demographics: ages and sexes of simulated IXI subjects, as IXI has them."""

import xlwt

from uad.base import logs
from uad.base.files import replacing
from uad.simulation import names

with logs.job(snakemake.log[0]):
    seed = snakemake.params.seed
    book = xlwt.Workbook()
    sheet = book.add_sheet("Table")
    sheet.write(0, 0, "IXI_ID")
    sheet.write(0, 1, "AGE")
    sheet.write(0, 2, "SEX_ID (1=m, 2=f)")
    scans = names.scans("ixi", snakemake.params.n, seed)
    for line, scan in enumerate(scans, start=1):
        sheet.write(line, 0, int(scan[3:6]))
        sheet.write(line, 1, names.age(scan, seed))
        sheet.write(line, 2, names.sex(scan, seed))
    with replacing(snakemake.output[0]) as temporary:
        book.save(str(temporary))
