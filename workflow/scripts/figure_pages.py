"""Rule figure_pages: each figure on a page of its own, with its caption."""

from uad.base import logs
from uad.report import figure_page

with logs.job(snakemake.log[0]):
    params = snakemake.params
    pages = zip(snakemake.input, snakemake.output, params.captions, strict=True)
    for figure, page, (title, caption) in pages:
        figure_page.write(page, figure, title, caption, params.simulated)
