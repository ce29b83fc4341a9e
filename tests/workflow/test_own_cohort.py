"""Cohorts of one's own, as docs/own_cohort.md has them: simulated scans in a table and in BIDS."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from plan import job_counts
from scipy import ndimage

from uad.base import tsv
from uad.data.layouts import bids
from uad.simulation import phantom, scans

EXAMPLE, PAGE = ROOT / "docs/examples/own_cohort.yaml", ROOT / "docs/own_cohort.md"
CONFIGS = ["config/demo.yaml", EXAMPLE]
PATIENTS, CONTROLS = ("01", "02", "03", "04"), ("11", "12", "13")


def save(image, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)


def brain_of(name, scan, age, head):
    """Brain mask of a simulated head on its own grid."""
    native = scans.native_of(name)
    warp = scans._draw(name, scan, age, 1, head)[-1]
    coordinates = scans._phantom_coordinates(native, warp, scans.pose(name, scan, 1))
    in_box = coordinates - head.low[:, None, None, None].astype(np.float32)
    brain = ndimage.map_coordinates(head.brain.astype(np.float32), in_box, order=1) > 0.5
    return nib.Nifti1Image(brain.astype(np.uint8), native.affine)


@pytest.fixture
def study(checkout):
    """The folders that the example names, filled with simulated scans."""
    fill(checkout.folder / "data", "T1", PATIENTS, CONTROLS)
    return checkout


def fill(data, contrast, patients, controls):
    """Write what the example names, on a contrast."""
    head = phantom.build()
    for name, image in scans.atlas(head, contrast).items():
        save(image, data / f"sri24/templates/{name}.nii")
    lines = ["subject\timage\tbrain\tage\tsex\tsite"]
    for i, age in enumerate((25, 35, 45, 65)):
        scan = scans.simulate("ixi", f"V{i}", age, 1, head, contrast)
        save(scan.image, data / f"volunteers/images/V{i}.nii.gz")
        save(brain_of("ixi", f"V{i}", age, head), data / f"volunteers/brains/V{i}.nii.gz")
        lines.append(f"V_{i}\timages/V{i}.nii.gz\tbrains/V{i}.nii.gz\t{age}\tF\tOslo")
    (data / "volunteers/scans.tsv").write_text("\n".join([*lines, ""]))
    name = f"{{}}_{bids.SUFFIX[contrast]}.nii.gz"
    for label in patients:
        scan = scans.simulate("brats21", f"sub-{label}", 50.0, 1, head, contrast)
        save(scan.image, data / f"study/sub-{label}/anat" / name.format(f"sub-{label}"))
        folder = data / f"study/derivatives/lesions/sub-{label}/anat"
        save(scan.lesion, folder / f"sub-{label}_label-lesion_mask.nii.gz")
    for label in controls:
        image = brain_image(label, head, contrast)
        save(image, data / f"study/sub-{label}/anat" / name.format(f"sub-{label}"))
    participants = "participant_id\tage\nsub-01\t61\nsub-02\t72\n"
    (data / "study/participants.tsv").write_text(participants)


def brain_image(label, head, contrast):
    """A simulated head without its skull."""
    scan = scans.simulate("ixi", f"C{label}", 50.0, 1, head, contrast).image
    brain = np.asarray(brain_of("ixi", f"C{label}", 50.0, head).dataobj)
    return nib.Nifti1Image(np.asarray(scan.dataobj) * brain.astype(np.int16), scan.affine)


@pytest.mark.tutorials
def test_scans_in_a_table_and_in_bids_come_to_rows(study):
    checked = study.snakemake("check", configfiles=CONFIGS)
    assert checked.returncode == 0, checked.stdout[-3000:] + checked.stderr[-3000:]
    done = study.snakemake(
        "table1", "preprocess", "export", "results/own/splits/audit.html",
        "results/own/inventory/datasets.html", "results/own/figures/splits.png",
        configfiles=CONFIGS, timeout=7200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    results = study.folder / "results/own"
    # Packed, with what the tables know of them, and left out with a reason.
    volunteers = tsv.read(results / "packed/volunteers/subjects.tsv").set_index("subject")
    assert list(volunteers["age"]) == [25, 35, 45, 65] and set(volunteers["site"]) == {"Oslo"}
    patients = tsv.read(results / "packed/clinic/subjects.tsv").set_index("subject")
    assert list(patients.index) == ["01", "02", "04"] and (patients["lesion_ml"] > 0).all()
    assert patients.loc["01", "age"] == 61
    excluded = tsv.read(results / "packed/clinic/excluded.tsv").set_index("subject")["status"]
    assert excluded["03"] == "excluded: moved"
    assert all(excluded[name] == "the lesion mask is missing" for name in CONTROLS)
    # All healthy ones are one data set, of which the synthetic anomalies are made.
    pooled = tsv.read(results / "packed/healthy/subjects.tsv")
    assert len(pooled) == 7 and set(pooled["dataset"]) == {"volunteers", "controls"}
    assert set(tsv.read(results / "packed/draem/subjects.tsv")["subject"]) <= set(pooled["subject"])
    # The given brain masks are where the brains are.
    quality = tsv.read(results / "qc/volunteers.tsv")
    assert len(quality) == 4 and (quality["dice_atlas"] > 0.85).all()
    table = pd.read_csv(results / "tables/table1.csv").set_index(["method", "d_unhealthy"])
    found = table[table["test_set"] == "gliomas"]
    assert found.loc[("perfect", "none"), "dice_best_mean"] == 1
    assert (found["dice_best_mean"] > 0).all() and ("unet", "gliomas") in found.index
    assert found.loc[("ae", "none"), "d_healthy"] == "volunteers+controls"
    for page in ("inventory/datasets.html", "qc/volunteers.html", "splits/audit.html"):
        assert (results / page).exists(), page
    lines = [json.loads((results / f"inventory/{n}.json").read_text()) for n in ("volunteers",)]
    assert lines[0]["licence"] == "CC0" and lines[0]["cases"] is None and lines[0]["found"] == 4
    exported = results / "export/nnunet/Dataset501_healthy"
    assert len(list((exported / "imagesTs").glob("*.nii.gz"))) == 7
    check_a_table_of_exclusions(study, results)


def check_a_table_of_exclusions(study, results):
    """The same exclusions in a table run nothing again; one more what depends on that subject."""
    excluded = study.folder / "data/excluded.tsv"
    excluded.write_text("subject\treason\n03\tmoved\n")
    configs = [*CONFIGS, study.overlay(datasets={"clinic": {"exclude": "data/excluded.tsv"}})]
    same = study.snakemake("table1", "-n", "--quiet", "rules", configfiles=configs)
    assert same.returncode == 0 and "Nothing to be done" in same.stdout + same.stderr, same.stdout
    image = results / "preprocessed/clinic/sub-01"
    before = {path: path.stat().st_mtime_ns for path in image.iterdir()}
    excluded.write_text("subject\treason\n03\tmoved\n04\tclipped\n")
    done = study.snakemake("results/own/packed/clinic/subjects.tsv", configfiles=configs)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert list(tsv.read(results / "packed/clinic/subjects.tsv")["subject"]) == ["01", "02"]
    left = tsv.read(results / "packed/clinic/excluded.tsv").set_index("subject")["status"]
    assert left["04"] == "excluded: clipped"
    assert {path: path.stat().st_mtime_ns for path in image.iterdir()} == before


def blocks_of_the_page():
    """Its blocks of a configuration."""
    page = PAGE.read_text()
    return [yaml.safe_load(block.partition("```")[0]) for block in page.split("```yaml\n")[1:]]


def on(contrast, checkout, **changes):
    """The page's block for T2, with a contrast in its place, as an overlay."""
    (block,) = (block for block in blocks_of_the_page() if "modality" in block)
    block = yaml.safe_load(yaml.safe_dump(block).replace("T2", contrast))
    return checkout.overlay(**block, **changes)


@pytest.mark.tutorials
@pytest.mark.parametrize("contrast", ["T2", "FLAIR"])
def test_scans_of_another_contrast_come_to_rows(checkout, contrast):
    """By `modality` and a template alone: heads with masks, and stripped brains with tumours."""
    fill(checkout.folder / "data", contrast, PATIENTS, ())
    overlay = on(
        contrast,
        checkout,
        healthy=["volunteers"],
        table={"rows": ["ae", "perfect"], "test_sets": ["gliomas"]},
    )
    wanted = ("table1", *(f"results/own/qc/{name}.html" for name in ("volunteers", "clinic")))
    done = checkout.snakemake(*wanted, configfiles=[*CONFIGS, overlay], timeout=7200)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    results = checkout.folder / "results/own"
    for name, n in (("volunteers", 4), ("clinic", 3)):
        quality = tsv.read(results / f"qc/{name}.tsv")
        assert len(quality) == n and quality["excluded"].isna().all()
    # In these contrasts lesions are brighter than other tissue, on FLAIR by little: packed images
    # are clipped, and what is dead in a tumour is dark.
    packed = results / "packed/clinic"
    image, brain, lesion = (
        np.load(packed / f"{kind}.npy") for kind in ("image", "brain", "lesion")
    )
    for one, inside, sick in zip(image, brain > 0, lesion > 0):
        assert one[sick].mean() > 1.05 * np.median(one[inside & ~sick])
    table = pd.read_csv(results / "tables/table1.csv").set_index("method")
    assert table.loc["perfect", "dice_best_mean"] == 1
    assert 0 < table.loc["ae", "auprc_mean"] < 1


@pytest.mark.parametrize("contrast", ["T1", "T2", "FLAIR"])
def test_what_the_tutorial_says_is_planned(checkout, contrast):
    """Cheap: the same on empty files, also of other contrasts, with their templates."""
    data, suffix = checkout.folder / "data", bids.SUFFIX[contrast]
    for name in (contrast, f"{contrast}_brain"):
        touch(data / f"sri24/templates/{name}.nii")
    lines = [f"V{i}\tV{i}.nii.gz\tB{i}.nii.gz" for i in range(4)]
    for i in range(4):
        touch(data / f"volunteers/V{i}.nii.gz")
        touch(data / f"volunteers/B{i}.nii.gz")
    (data / "volunteers/scans.tsv").write_text("\n".join(["subject\timage\tbrain", *lines, ""]))
    for label in (*PATIENTS, *CONTROLS):
        touch(data / f"study/sub-{label}/anat/sub-{label}_{suffix}.nii.gz")
    for label in PATIENTS:
        folder = data / f"study/derivatives/lesions/sub-{label}/anat"
        touch(folder / f"sub-{label}_label-lesion_mask.nii.gz")
    overlays = [] if contrast == "T1" else [on(contrast, checkout)]
    done = checkout.snakemake("-n", "--quiet", "rules", configfiles=[*CONFIGS, *overlays])
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = job_counts(done.stdout)
    assert jobs["register_to_sri24"] == 10 and jobs["strip_skull_given"] == 4
    assert jobs["pool_healthy"] == jobs["synthesize"] == 1 and jobs["pack"] == 3
    assert jobs["train_model"] == 2 and jobs["evaluate"] == 5
    assert "clinic: leaving out 03: excluded: moved and 3 more (" in done.stdout + done.stderr


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_the_page_shows_the_example():
    """The blocks of the page are those of the file that the test above runs."""
    example = yaml.safe_load(EXAMPLE.read_text())
    shown = [block for block in blocks_of_the_page() if "modality" not in block]
    assert len(shown) >= 2
    for block in shown:
        for key, value in block.items():
            if isinstance(value, dict):
                assert {k: example[key][k] for k in value} == value, key
            else:
                assert example[key] == value, key
