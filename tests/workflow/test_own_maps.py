"""Maps made elsewhere, by docs/own_maps.md: exported, scored by another program, brought back."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT

from uad.base import tsv
from uad.data import splits

PAGE = ROOT / "docs/own_maps.md"
CONFIGS = ["config/demo.yaml", "config/try.yaml"]
ROWS = ["nnunet-brats", "intensity", "perfect"]


def overlay_of_the_page():
    """Its block of a configuration."""
    (block,) = PAGE.read_text().split("```yaml\n")[1:]
    return yaml.safe_load(block.partition("```")[0])


@pytest.mark.tutorials
def test_maps_of_another_program_are_a_row(checkout):
    """The program here takes dark for sick, as the control `intensity` does; so are its values."""
    controls = checkout.overlay(table={"rows": ROWS[1:], "test_sets": ["brats"]})
    done = checkout.snakemake("export", configfiles=[*CONFIGS, controls], timeout=3600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    exported = checkout.folder / "results/try/export/nnunet"
    made = 0
    for name in ("brats21", "ixi"):
        (folder,) = exported.glob(f"Dataset*_{name}")
        for path in sorted((folder / "imagesTs").glob("*_0000.nii.gz")):
            image = nib.load(path)
            scores = (2 - image.get_fdata()).astype(np.float32)
            subject = path.name.removesuffix("_0000.nii.gz")
            target = checkout.folder / f"my_maps/fold-0/{name}/{subject}.nii.gz"
            target.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(scores, image.affine), target)
            made += 1
    assert made > 4
    mine = overlay_of_the_page() | {"table": {"rows": ROWS, "test_sets": ["brats"]}}
    configs = [*CONFIGS, checkout.overlay(**mine)]
    done = checkout.snakemake("table1", configfiles=configs, timeout=3600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = pd.read_csv(checkout.folder / "results/try/tables/table1.csv").set_index("method")
    row, control = table.loc["nnunet"], table.loc["intensity"]
    assert row["d_unhealthy"] == "brats" and row["block"] == "III"
    for column in ("dice_best_mean", "auprc_mean"):
        assert 0 < row[column] == pytest.approx(control[column], abs=1e-6)
    # A map that is gone ends the row's job, which names it.
    split = tsv.read(checkout.folder / "results/try/splits/brats21.tsv")
    subject = splits.subjects(split, 0, "test")[0]
    (checkout.folder / f"my_maps/fold-0/brats21/{subject}.nii.gz").unlink()
    failed = checkout.snakemake("table1", configfiles=configs)
    assert (
        failed.returncode != 0
        and f"subjects have no map: {subject}" in failed.stdout + failed.stderr
    )
