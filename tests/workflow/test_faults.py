"""Bad input: one sentence that names the file or key, and nothing half-written.

What is wrong with one subject excludes it; anything else ends the run.
"""

import html
import os
import shutil
import time

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import write_pack

import phantoms
from uad.base import exclusion, tsv
from uad.data import datasets
from uad.simulation import names

SUBJECTS = {"ixi": 2, "brats21": 2, "atlas_v2": 2}
FAST = {
    "resolution_mm": 1, "iterations": [20], "shrink_factors": [2], "smoothing_sigmas": [1],
    "retry_below": -1,
}  # fmt: skip


@pytest.fixture
def real(checkout, tmp_path):
    """A checkout with small real-looking data in native layout, and the overlay that names them."""
    rng = np.random.default_rng(1)
    raw = tmp_path / "raw"
    files = {}
    for dataset, n in SUBJECTS.items():
        for scan in names.scans(dataset, n, seed=1):
            image, _, lesion = phantoms.head(rng, skull=dataset != "brats21")
            arrays = (image, lesion.astype(np.uint8))
            paths = [raw / dataset / file for file in names.files(dataset, scan)]
            for path, array in zip(paths, arrays):
                phantoms.save(array, path)
            files.setdefault(dataset, []).append(paths)
    image, brain, _ = phantoms.head(rng, lesion_radius=0.1)
    phantoms.save(image, raw / "T1.nii")
    phantoms.save(image * brain, raw / "T1_brain.nii")
    blocks = {d: {"folder": str(raw / d), "demographics": None} for d in SUBJECTS}
    for dataset in ("ixi", "atlas_v2"):
        blocks[dataset]["brain_mask"] = "atlas"
    overlay = {
        "datasets": blocks,
        "atlas": {
            "head": str(raw / "T1.nii"),
            "brain": str(raw / "T1_brain.nii"),
            "shape": list(phantoms.SHAPE),
            "spacing_mm": 4,
        },
        "preprocessing": {"registration": FAST},
    }
    weights = {name: raw / f"{name}.pth" for name in ("fae", "rd")}
    for path in weights.values():
        path.touch()
    overlay["methods"] = {name: {"pretrained": str(path)} for name, path in weights.items()}
    checkout.files, checkout.raw, checkout.changes = files, raw, overlay
    return checkout


def output_of(dataset, label, ending):
    return f"results/preprocessed/{dataset}/sub-{label}/sub-{label}_{ending}"


REGISTERED = output_of("brats21", "BraTS00001", "desc-registration_qc.json")


def fails(checkout, target, sentence, overlay=None, path=None):
    """Run towards a target; it must end with the sentence and without the target."""
    path = path or checkout.overlay(**(overlay or checkout.changes))
    done = checkout.snakemake(target, configfiles=[path])
    text = done.stdout + done.stderr
    assert done.returncode != 0, text
    lines = [line for line in text.splitlines() if sentence in line]
    assert lines, text
    assert not (checkout.folder / target).exists()
    leftovers = [p for p in (checkout.folder / "results").rglob(".*") if p.is_file()]
    assert not [p for p in leftovers if p.name not in (".snakemake_timestamp",)], leftovers
    return lines


def first_label(checkout, dataset):
    files = [
        str(p.relative_to(checkout.raw / dataset)) for pair in checkout.files[dataset] for p in pair
    ]
    return next(iter(datasets.find(dataset, files, "").subjects))


def register_target(checkout, dataset):
    return output_of(dataset, first_label(checkout, dataset), "desc-registration_qc.json")


def test_good_input_registers(real):
    target = register_target(real, "atlas_v2")
    done = real.snakemake(target, configfiles=[real.overlay(**real.changes)])
    assert done.returncode == 0, done.stdout + done.stderr
    assert (real.folder / target).exists()


def test_missing_data_folder(real):
    shutil.rmtree(real.raw / "ixi")
    (line,) = fails(real, "all", f"{real.raw / 'ixi'}: no such folder")
    assert "datasets.ixi.folder" in line


def test_empty_data_folder(real):
    shutil.rmtree(real.raw / "brats21")
    (real.raw / "brats21").mkdir()
    fails(real, "all", "no BraTS21 T1 image found; expected files like BraTS2021_00000/")


def test_missing_lesion_mask_leaves_the_subject_out(real):
    real.files["atlas_v2"][0][1].unlink()
    path = real.overlay(**real.changes)
    target = "results/packed/atlas_v2/subjects.tsv"
    done = real.snakemake(target, configfiles=[path])
    assert done.returncode == 0, done.stderr
    label = real.files["atlas_v2"][0][0].name[4:12]
    sentence = f"atlas_v2: leaving out {label}: the lesion mask is missing"
    assert done.stderr.count(sentence) == 1  # said once, not by every job
    assert label not in set(tsv.read(real.folder / target)["subject"])
    excluded = tsv.read(real.folder / "results/packed/atlas_v2/excluded.tsv")
    assert dict(zip(excluded["subject"], excluded["status"])) == {
        label: "the lesion mask is missing"
    }


def test_prepared_data_enter_after_bias_correction(real):
    """The authors' <DATA_DIR>: masks with fractions, as linear resampling left them."""
    rng = np.random.default_rng(5)
    for stem in ("BraTS2021_00001", "BraTS2021_00002"):
        image, brain, lesion = phantoms.head(rng, skull=False)
        folder = real.raw / "data_dir/Data/Test/Brats21"
        phantoms.save(image, folder / f"t1/{stem}_t1.nii.gz")
        phantoms.save(brain * np.float32(0.7), folder / f"mask/{stem}_mask.nii.gz")
        phantoms.save(lesion * np.float32(0.4), folder / f"seg/{stem}_seg.nii.gz")
    changes = {**real.changes["datasets"]}
    changes["brats21"] = {"layout": "prepared", "folder": str(real.raw / "data_dir")}
    path = real.overlay(**{**real.changes, "datasets": changes})
    target = "results/packed/brats21/subjects.tsv"
    done = real.snakemake(target, "results/figures/cohort_brats21.png", configfiles=[path])
    assert done.returncode == 0, done.stderr
    assert "register_to_sri24" not in done.stderr + done.stdout
    table = tsv.read(real.folder / target)
    assert len(table) == 2 and (table["lesion_ml"] > 0).all() and (table["brain_ml"] > 500).all()


def test_names_of_files_are_only_names(real):
    """Blanks, quotes and what a shell would run, in the folders of scans and of results."""
    odd = 'it\'s $(touch ran) `touch ran`; touch ran # & "a" * | > ran'
    folder = real.raw / "brats21"
    (folder / odd).mkdir()
    for scan in folder.glob("BraTS*"):
        scan.rename(folder / odd / scan.name)
    path = real.overlay(**real.changes, results=f"results/{odd}")
    qc = register_target(real, "brats21").replace("results", f"results/{odd}", 1)
    targets = [qc, f"results/{odd}/inventory/brats21.json"]  # the rules that read scans
    done = real.snakemake(*targets, configfiles=[path])
    assert done.returncode == 0, done.stdout + done.stderr
    assert all((real.folder / target).exists() for target in targets)
    assert not list(real.folder.rglob("ran")) and not list(real.raw.rglob("ran"))


def test_names_that_snakemake_would_misread_leave_the_subject_out(real):
    image = real.files["brats21"][0][0]
    for name in ("{subject}", "line\nbreak"):
        (image.parent.parent / name).mkdir()
        shutil.copy(image, image.parent.parent / name)
    target = output_of("brats21", first_label(real, "brats21"), "desc-registration_qc.json")
    done = real.snakemake(target, "-n", configfiles=[real.overlay(**real.changes)])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "its name has braces, or characters that cannot be printed and 1 more" in done.stdout


def damage(how, image, lesion):
    """Damage a subject's files on disk; returns the file that is to blame and what is said."""
    scan = nib.load(image)
    array, mask = np.asarray(scan.dataobj), lesion and np.asarray(nib.load(lesion).dataobj)
    if how == "truncated":
        image.write_bytes(image.read_bytes()[:5000])
        return image, "cannot be read as NIfTI, the file is damaged"
    if how == "NaN":
        phantoms.save(np.where(array == 0, np.nan, array), image)
        return image, "contains NaN or infinite values"
    if how == "blank":
        phantoms.save(np.zeros_like(array), image)
        return image, "every voxel is 0, the image is blank"
    if how == "mask of another shape":
        phantoms.save(mask[:-1], lesion)
        return lesion, f"of {image}; both must be on one grid"
    if how == "inverted mask":
        phantoms.save(1 - mask, lesion)
        return lesion, "the mask may be inverted"
    raise ValueError(how)


# At 4 mm the phantoms' brain rims are thin; the steps behind registration get what they can do.
COARSE = {
    "registration": FAST, "crop": [128, 128, 16],
    "bias_field": {"shrink_factor": 1, "iterations": [5]},
}  # fmt: skip


def coarse(real, **changes):
    """An overlay of small and fast preprocessing."""
    methods = {**real.changes["methods"], "pddpm": {"patch": 32}}
    return real.overlay(**{**real.changes, "preprocessing": COARSE, "methods": methods, **changes})


def with_scans(real, dataset, n):
    """Copies of the first scan of a data set under the names of others; `n` scans in all."""
    first, *_ = real.files[dataset]
    for scan in names.scans(dataset, n, seed=1)[len(real.files[dataset]) :]:
        paths = [real.raw / dataset / file for file in names.files(dataset, scan)]
        for source, path in zip(first, paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, path)
        real.files[dataset].append(paths)


def label_of(dataset, paths):
    return next(iter(datasets.find(dataset, [path.name for path in paths], "").subjects))


def test_damaged_files_cost_their_subjects_and_nothing_else(real):
    # One of each kind; test_volumes.py and test_masks.py have the others.
    damages = ["truncated", "NaN", "mask of another shape", "inverted mask"]
    with_scans(real, "atlas_v2", len(damages) + 2)
    blamed = {}
    for how, paths in zip(damages, real.files["atlas_v2"]):
        blamed[label_of("atlas_v2", paths)] = damage(how, *paths)
    packed, page = "results/packed/atlas_v2", "results/qc/atlas_v2.html"
    targets = [f"{packed}/subjects.tsv", page, "results/figures/cohort_atlas_v2.png"]
    done = real.snakemake(*targets, configfiles=[coarse(real)])
    assert done.returncode == 0, done.stdout + done.stderr
    kept = tsv.read(real.folder / packed / "subjects.tsv")
    excluded = tsv.read(real.folder / packed / "excluded.tsv").set_index("subject")["status"]
    assert len(kept) == 2 and set(excluded.index) == set(blamed)
    text = html.unescape((real.folder / page).read_text())
    for label, (path, sentence) in blamed.items():
        assert excluded[label].startswith(f"{path}: ") and sentence in excluded[label]
        assert excluded[label] in text
    assert len(tsv.read(real.folder / "results/qc/atlas_v2.tsv")) == 2
    # Mended, it is a subject like the others, and nothing else is done again.
    image, _ = real.files["atlas_v2"][0]
    shutil.copy(real.files["atlas_v2"][-1][0], image)
    done = real.snakemake(targets[0], configfiles=[coarse(real)])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("rule register_to_sri24:") == 1
    assert len(tsv.read(real.folder / packed / "subjects.tsv")) == 3


def test_too_few_subjects_left(real):
    with_scans(real, "atlas_v2", 3)
    for image, _ in real.files["atlas_v2"][:1]:
        damage("blank", image, None)
    # Enough were found, but not enough are left after registration.
    splits = {"folds": 1, "atlas_v2": {"train": 1, "val": 1, "test": 1}}
    path = coarse(real, splits=splits, folds=[0])
    fails(
        real,
        "results/splits/atlas_v2.tsv",
        "Error: ATLAS v2.0: 2 subjects are too few for 1 training, 1 validation and 1 test",
        path=path,
    )
    excluded = "results/packed/atlas_v2/excluded.tsv"
    log = (real.folder / "results/logs/make_splits/atlas_v2.log").read_text()
    assert f"1 were left out or excluded, {excluded} says why" in log
    assert "the image is blank" in (real.folder / excluded).read_text()


def test_nobody_left(real):
    for image, _ in real.files["atlas_v2"]:
        damage("blank", image, None)
    sentence = "Error: ATLAS v2.0: every one of 2 subjects is excluded; results/logs/pack/atlas_v2"
    fails(real, "results/packed/atlas_v2/subjects.tsv", sentence, path=coarse(real))
    log = (real.folder / "results/logs/pack/atlas_v2.log").read_text()
    assert log.count("the image is blank") == 2


def test_missing_atlas(real):
    (real.raw / "T1.nii").unlink()
    fails(real, register_target(real, "ixi"), str(real.raw / "T1.nii"))


def test_image_without_a_brain(real):
    # Stripped input that is zero everywhere: no mask can be found, and nothing is guessed.
    label = first_label(real, "brats21")
    image = output_of("brats21", label, "space-SRI24_desc-registered_T1w.nii")
    phantoms.save(np.zeros(phantoms.SHAPE, np.float32), real.folder / image)
    mask = output_of("brats21", label, "space-SRI24_desc-brain_mask.nii.gz")
    corrected = output_of("brats21", label, "space-SRI24_desc-preproc_T1w.nii.gz")
    done = real.snakemake(
        mask, corrected, "--allowed-rules", "strip_skull", "correct_bias",
        "--rerun-triggers", "mtime", configfiles=[real.overlay(**real.changes)],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for path in (mask, corrected):
        assert exclusion.reason(real.folder / path) == f"{image}: the brain mask is empty"


GAN = {"block": "II", "label": "GAN", "healthy": True, "maps": ["gan-draem"]}
MISTAKES = {
    "unknown method": (
        {"rows": {"gan-draem": GAN}},
        "rows.gan-draem has the unknown method gan; known are",
    ),
    "fold out of range": ({"folds": [0, 7]}, "folds names fold 7, but splits.folds is 5"),
    "misspelt key": (
        {"methods": {"unet": {"width": [1, 2]}}},
        "unknown key methods.unet.width (did you mean widths?)",
    ),
    "wrong choice": (
        {"accelerator": "gpu"},
        "accelerator is 'gpu', but must be 'auto', 'cpu' or 'cuda'",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_configuration(real, name):
    changes, sentence = MISTAKES[name]
    fails(real, "all", f"configuration: {sentence}", overlay={**real.changes, **changes})


def test_missing_key(real):
    path = real.folder / "config/config.yaml"
    path.write_text(path.read_text().replace("seed: 3141", "# seed: 3141"))
    fails(real, "all", "configuration: missing key seed")


def test_unknown_subject(real):
    target = output_of("ixi", "IXI999", "desc-registration_qc.json")
    fails(real, target, "ixi has no subject IXI999")


def prepare_training(checkout):
    """Packed phantoms and splits of brats21, as if preprocessing had run."""
    root = checkout.folder / "results"
    write_pack(root / "packed/brats21", 4)
    roles = {"S0": "train", "S1": "train", "S2": "val", "S3": "test"}
    table = pd.DataFrame([(s, 0, r) for s, r in roles.items()], columns=["subject", "fold", "role"])
    tsv.write(table, root / "splits/brats21.tsv")
    return root / "splits/brats21.tsv"


def train(checkout, target, **changes):
    small = {"widths": [4, 8], "training": {"epochs": 2, "batch_size": 4, "validate_every": 1}}
    path = checkout.overlay(**{**checkout.changes, "methods": {"unet": small}, **changes})
    return checkout.snakemake(
        target, "--allowed-rules", "train_model", "--rerun-triggers", "mtime", configfiles=[path]
    )


MODEL = "results/models/unet-brats/fold-0/model.pt"


def test_zero_gpus_where_one_is_demanded(real):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    prepare_training(real)
    done = train(real, MODEL, accelerator="cuda")
    assert done.returncode != 0
    assert (
        "Error: accelerator: cuda is configured, but torch sees no GPU" in done.stdout + done.stderr
    )
    assert not (real.folder / MODEL).exists()
    assert train(real, MODEL, accelerator="cpu").returncode == 0


def test_leaking_split(real):
    split = prepare_training(real)
    split.write_text(split.read_text() + "S3\t0\ttrain\n")
    done = train(real, MODEL, accelerator="cpu")
    assert done.returncode != 0
    assert (
        "Error: subject S3 has more than one role in fold 0: test, train"
        in done.stdout + done.stderr
    )
    assert not (real.folder / MODEL).exists()


def test_damaged_packed_array(real):
    prepare_training(real)
    path = real.folder / "results/packed/brats21/image.npy"
    path.write_bytes(path.read_bytes()[:1000])
    done = train(real, MODEL, accelerator="cpu")
    assert done.returncode != 0
    assert (
        "results/packed/brats21/image.npy: cannot be read as a packed array"
        in done.stdout + done.stderr
    )


def test_damaged_model_file(real):
    prepare_training(real)
    root = real.folder / "results"
    for name in ("atlas_v2", "draem", "ixi"):
        shutil.copytree(root / "packed/brats21", root / f"packed/{name}")
        shutil.copy(root / "splits/brats21.tsv", root / f"splits/{name}.tsv")
    model = root / "models/unet-brats/fold-0/model.pt"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"half a model")
    target = "results/scores/unet-brats/fold-0/brats21/anomaly_map.npy"
    done = real.snakemake(
        target, "--allowed-rules", "score", "--rerun-triggers", "mtime",
        configfiles=[real.overlay(**{**real.changes, "accelerator": "cpu"})],
    )  # fmt: skip
    assert done.returncode != 0
    assert (
        "models/unet-brats/fold-0/model.pt: cannot be read as a model file"
        in done.stdout + done.stderr
    )
    assert not (real.folder / target).exists()


def test_failed_registration_is_recorded_and_survived(real):
    # An image of noise cannot be registered: the subject is excluded, the run goes on.
    image, lesion = real.files["atlas_v2"][0]
    rng = np.random.default_rng(2)
    phantoms.save(rng.random(phantoms.SHAPE).astype(np.float32), image)
    target = "results/packed/atlas_v2/subjects.tsv"
    done = real.snakemake(target, configfiles=[coarse(real)])
    assert done.returncode == 0, done.stdout + done.stderr
    kept = tsv.read(real.folder / target)
    excluded = tsv.read(real.folder / "results/packed/atlas_v2/excluded.tsv")
    assert len(kept) == 1 and len(excluded) == 1
    assert excluded["subject"].iloc[0] == first_label(real, "atlas_v2")
    assert excluded["status"].iloc[0].startswith("registration failed: similarity")
    assert lesion.exists()


# Preflight.

SMALL_SPLITS = {
    "folds": 1,
    **{name: {"train": 1, "val": 1, "test": None} for name in ("ixi", "brats21", "atlas_v2")},
}


def preflight(real, *more, **changes):
    for name, array in zip(("T1.nii", "T1_brain.nii"), phantoms.atlas()):
        if (real.raw / name).exists():  # unless a test took it away
            phantoms.save(array, real.raw / name)
    path = real.overlay(**{**real.changes, "splits": SMALL_SPLITS, "accelerator": "cpu", **changes})
    return real.snakemake("check", *more, "--config", "folds=[0]", configfiles=[path])


def third_of_each(real):
    """One more scan of each data set, since training, validation and test need three."""
    rng = np.random.default_rng(9)
    for dataset in SUBJECTS:
        image, _, lesion = phantoms.head(rng, skull=dataset != "brats21")
        scan = names.scans(dataset, 3, seed=1)[2]
        for file, array in zip(names.files(dataset, scan), (image, lesion.astype(np.uint8))):
            phantoms.save(array, real.raw / dataset / file)


def test_check_passes_where_everything_is_there_and_reads_what_is_new(real):
    third_of_each(real)
    done = preflight(real)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything is there." in done.stdout
    assert done.stderr.count("rule inventory:") == 3
    done = preflight(real)
    assert done.returncode == 0 and "Everything is there." in done.stdout
    assert "rule inventory:" not in done.stderr
    changed = real.files["ixi"][0][0]
    image = nib.load(changed)
    values = np.asarray(image.dataobj) + 1
    nib.save(nib.Nifti1Image(values, image.affine, image.header), changed)
    done = preflight(real)
    assert done.returncode == 0 and done.stderr.count("rule inventory:") == 1


def test_check_ends_with_its_table_and_one_sentence(real):
    third_of_each(real)
    first, second = (real.files["brats21"][i] for i in range(2))
    shutil.copy(first[0], second[0])  # one scan under two names
    damage("blank", real.files["ixi"][0][0], None)
    ahead = time.time() + 3 * 3600
    dated = real.files["atlas_v2"][0][1]
    os.utime(dated, (ahead, ahead))
    done = preflight(real)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    for sentence in (
        "BraTS21: BraTS00002: the same scan as BraTS00003 of BraTS21",
        "2 usable cases, but the splits need 3",
        f"ATLAS v2.0: {dated}: is dated in the future, ",
    ):
        assert sentence in said, said
    last = done.stderr.strip().splitlines()[-1]
    assert last == "this configuration cannot be run here; see the table above"
    for word in ("Traceback", "CalledProcessError", "Error in rule", "job execution failed"):
        assert word not in said
    # The run would not get far with such a date, and says so before it starts.
    path = real.overlay(**{**real.changes, "splits": SMALL_SPLITS})
    done = real.snakemake("all", "-n", "--config", "folds=[0]", configfiles=[path])
    assert done.returncode != 0 and f"{dated} is dated in the future" in done.stdout + done.stderr


def test_check_names_everything_that_is_missing(real):
    shutil.rmtree(real.raw / "brats21")
    image = real.files["ixi"][0][0]
    image.write_bytes(image.read_bytes()[:5000])
    (real.raw / "T1.nii").unlink()
    (real.raw / "rd.pth").unlink()
    datasets = {**real.changes["datasets"]}
    datasets["atlas_v2"] = {**datasets["atlas_v2"], "brain_mask": "hd_bet"}
    done = preflight(real, datasets=datasets)
    assert done.returncode == 1
    for sentence in (
        f"{real.raw}/brats21: no such folder (configuration key datasets.brats21.folder)",
        "BraTS21: request it at https://www.synapse.org/brats2021, unpack it to",
        f"IXI: {image}: cannot be read to its end",
        f"atlas: {real.raw}/T1.nii: no such file",
        f"weights of rd: {real.raw}/rd.pth: no such file",
        "HD-BET: data/hd-bet/release_2.0.0/dataset.json: no such file",
        "this configuration cannot be run here",
    ):
        assert sentence in done.stdout + done.stderr, sentence


def test_atlas_on_another_grid(real):
    changes = {**real.changes, "atlas": {**real.changes["atlas"], "shape": [240, 240, 155]}}
    fails(
        real,
        register_target(real, "ixi"),
        f"Error: {real.raw}/T1.nii: the atlas has (56, 64, 48) voxels, expected (240, 240",
        overlay=changes,
    )
