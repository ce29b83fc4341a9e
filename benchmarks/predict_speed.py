"""How long `predict` takes for one head with the paper's networks: number of `docs/predict.md`.

    python benchmarks/predict_speed.py OUT --bundle FILE --atlas T1.nii T1_brain.nii

The bundle is one of the demo, of which it takes thresholds and healthy scans; networks, noise
levels, preprocessing and slices are the paper's (`config/config.yaml`), with random weights, which
change no time. Two simulated heads that are new to it go through `snakemake predict` from the
command line, the second behind the first; brains are found by the atlas. Prints seconds by the
clock.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import paper
import predict_calibration
import torch
from run import table

from uad.engine import calibration, checkpoints
from uad.models import methods
from uad.predict import bundle
from uad.simulation import phantom

CORES = 2


def seal(out: Path, source: Path) -> Path:
    """A bundle of one fold as of the paper's configuration, with random weights."""
    config, template = paper.read("config/config.yaml"), bundle.read(source)
    models = {}
    for model, about in template["models"].items():
        name = model.partition("-")[0]
        block = config["methods"][name]
        about["test"] = methods.test_params(name, block)
        params = methods.params_of(name, block, paper.SHAPE[1:])
        path = out / f"{model}.pt"
        torch.manual_seed(0)
        network = calibration.build(name, config["methods"], paper.SHAPE[1:]).network
        checkpoints.save(
            path, name, params, network.state_dict(), "random",
            training=paper.training_block(name, config),
        )  # fmt: skip
        models[bundle.model_name(model, 0)] = path
    template["thresholds"] = {
        cut: {"0": next(iter(of.values()))} for cut, of in template["thresholds"].items()
    }
    template["healthy"] = [line | {"fold": 0} for line in template["healthy"]]
    changed = {
        "folds": [0], "preprocessing": config["preprocessing"], "threads": CORES,
        "residual": config["residual"], "limits": {},
    }  # fmt: skip
    path = out / "paper.zip"
    template.pop("format")
    bundle.write(path, template | changed, "", models)
    return path


def main():
    """As the docstring of the module says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--atlas", nargs=2, type=Path, required=True, metavar=("HEAD", "BRAIN"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    sealed = seal(args.out, args.bundle)
    head, lines = phantom.build(), []
    for i in range(2):
        image, _ = predict_calibration.healthy(i, head)
        scans = args.out / f"scans-{i}"
        scans.mkdir(exist_ok=True)
        nib.save(image, scans / f"head{i}.nii.gz")
        said = [f"{key}: {value}" for key, value in {
            "scans": scans, "bundle": sealed, "out": args.out / f"maps-{i}",
        }.items()]  # fmt: skip
        where = [f"{key}: {path}" for key, path in zip(("head", "brain"), args.atlas)]
        command = [
            sys.executable, "-m", "snakemake", "predict", "--cores", str(CORES), "--config",
            f"predict={{{', '.join(said)}}}", f"atlas={{{', '.join(where)}}}",
            f"threads={{infer: {CORES}}}", "accelerator=cpu",
        ]  # fmt: skip
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds = time.perf_counter() - began
        lines.append([i + 1, f"{seconds:.0f}"])
        print(table(["head", f"s by the clock, {CORES} cores"], lines), flush=True)


if __name__ == "__main__":
    main()
