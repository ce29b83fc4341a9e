"""The demo's data path under simulated processors, and how far what it gives moves.

NumPy, OpenBLAS, torch and the C library choose code by the processor's features, and this code
rounds differently. Each can be told to take the code of another processor. Here the demo's scans
are simulated, registered, stripped, corrected and packed, and the controls evaluated, once for
each such processor, by the workflow itself.

    python tests/processors.py            every processor: three to ten minutes each
    python tests/processors.py zen sse    these, beside the present one

`rounding` is no processor: every scan is scaled by 1 + 1.2e-7, so that all its voxels are rounded
otherwise, which is more than what another compiler or mathematical library does.

Prints a table for docs/processors.md: how many files are the same to the bit as on the present
processor, and by how much each golden quantity moves. Results are kept in results/processors;
delete them to run again.
"""

import gzip
import hashlib
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import golden
import numpy as np
import pandas as pd
import yaml
from numpy._core import _multiarray_umath as numpy_core

ROOT = Path(__file__).parent.parent
FOLDER = Path("results/processors")

SCALE_AT = 112  # byte of a NIfTI header
DISPATCHED = [f for f in numpy_core.__cpu_dispatch__ if numpy_core.__cpu_features__.get(f)]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
TWO_THREADS = dict.fromkeys(ONE_THREAD, "2")


def _without(*starts):
    """For NumPy: a processor without the features whose names begin so."""
    return {"NPY_DISABLE_CPU_FEATURES": " ".join(f for f in DISPATCHED if f.startswith(starts))}


# Environment variables of each. The C library's are of glibc 2.33 and later; others ignore them.
PROCESSORS = {
    "present": ONE_THREAD,
    "threads": TWO_THREADS,
    "zen": {  # AMD EPYC of the second and third generation: AVX2 and FMA, no AVX-512
        **ONE_THREAD,
        **_without("AVX512"),
        "OPENBLAS_CORETYPE": "Zen",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
    "sse": {  # no vector code beyond that of every 64-bit processor, no fused multiplication
        **ONE_THREAD,
        **_without(""),
        "OPENBLAS_CORETYPE": "Prescott",
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4",
    },
    "rounding": ONE_THREAD,
}  # fmt: skip


def run(name):
    """The data path and the controls on one processor; returns the results folder."""
    folder = FOLDER / name
    if name == "rounding":
        _copy_scaled(ROOT / FOLDER / "present", ROOT / folder)
    targets = [f"{folder}/metrics/{c}/fold-{fold}.tsv" for c in golden.CONTROLS for fold in (0, 1)]
    (ROOT / FOLDER).mkdir(parents=True, exist_ok=True)
    overlay = ROOT / FOLDER / f"{name}.yaml"
    overlay.write_text(yaml.safe_dump({"results": str(folder)}))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--scheduler", "greedy"]
    command += ["--configfile", "config/demo.yaml", str(overlay), "--quiet", "all"]
    command += ["--rerun-triggers", "mtime", "--"]
    environment = {**os.environ, **PROCESSORS[name]}
    subprocess.run([*command, *targets], cwd=ROOT, env=environment, check=True)
    return ROOT / folder


def _copy_scaled(present, folder):
    """Raw scans with another scaling factor in their headers; atlas and masks as they are."""
    if folder.exists():
        return
    shutil.copytree(present / "atlas", folder / "atlas")
    shutil.copytree(present / "raw", folder / "raw")
    for path in (folder / "raw").glob("**/*[tT]1*.nii.gz"):
        if "mask" not in path.name:
            file = bytearray(gzip.decompress(path.read_bytes()))
            struct.pack_into("<f", file, SCALE_AT, np.nextafter(np.float32(1), np.float32(2)))
            path.write_bytes(gzip.compress(bytes(file), 1))


def digests(folder):
    """SHA-256 of what is in the raw, registered and packed files, by stage and file."""
    found = {}
    for stage, pattern in {
        "simulated scans": "raw/**/*.nii.gz",
        "transforms": "preprocessed/**/*_xfm.txt",
        "brain masks": "preprocessed/**/*SRI24_desc-brain_mask.nii.gz",
        "corrected images": "preprocessed/**/*SRI24_desc-preproc_T1w.nii.gz",
        "packed arrays": "packed/**/*.npy",
    }.items():
        paths = sorted(folder.glob(pattern))
        found[stage] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    return found


def compare(present, other):
    """Same files per stage as text, and the golden table with the changes on another processor."""
    counts = []
    mine, theirs = digests(present), digests(other)
    for stage, expected in mine.items():
        same = sum(a == b for a, b in zip(expected, theirs[stage], strict=True))
        counts.append(f"{stage} {same}/{len(expected)}")
    table = golden.measure(present)
    table["change"] = golden.measure(other)["value"] - table["value"]
    moved = golden.displacements(golden.transforms(present), other)
    return ", ".join(counts), table, moved


if __name__ == "__main__":
    names = sys.argv[1:] or [name for name in PROCESSORS if name != "present"]
    present = run("present")
    for name in names:
        counts, table, moved = compare(present, run(name))
        print(f"\n{name}: the same to the bit: {counts}")
        print(f"largest displacement in a brain: {moved.max():.3g} mm ({moved.idxmax()})")
        changed = table[table["change"] != 0]
        print(changed.to_string(index=False) if len(changed) else "no golden quantity moves")
        largest = table.assign(change=table["change"].abs()).groupby("quantity")["change"].max()
        print(largest.to_string())
        pd.DataFrame(moved).to_csv(ROOT / FOLDER / f"{name}_displacements.tsv", sep="\t")
