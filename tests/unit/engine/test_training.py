"""The training loop: same bytes after SIGKILL, the best state is kept, bad input is named."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import ROOT, write_pack

from uad.base import devices, tsv
from uad.base.errors import InputError
from uad.data import slices
from uad.engine import checkpoints, loop, reconstruction, training
from uad.engine.jobs import Evaluated, Job
from uad.engine.saved_state import SavedState, State
from uad.models import methods

BLOCK = {
    "upstream": None,
    "pretrained": None,
    "reconstructs": False,
    "widths": [4, 8],
    "training": {
        "learning_rate": 0.01, "betas": [0.9, 0.999], "weight_decay": 0, "epochs": 6,
        "batch_size": 4, "slices_per_volume": 4, "drop_last": False, "augment": True,
        "precision": "32-true", "validate_every": 2, "validation_slices": 3,
    },
}  # fmt: skip


def data(folder):
    """Packed phantoms and a split, made once; the inputs of a training job."""
    lines = [("S0", "train"), ("S1", "train"), ("S2", "val"), ("S3", "test")]
    split = folder / "split.tsv"
    if not split.exists():
        write_pack(folder / "packed", 4)
        split.write_text(
            "subject\tfold\trole\n" + "".join(f"{s}\t0\t{role}\n" for s, role in lines)
        )
    files = [str(folder / "packed" / n) for n in ("image.npy", "subjects.tsv")]
    return Inputs(train=files, val=files, train_split=str(split), val_split=str(split))


class Inputs(dict):
    """Like Snakemake's input: named, and iterable over files."""

    def __iter__(self):
        return (
            f for value in self.values() for f in (value if isinstance(value, list) else [value])
        )


JOB = Job(fold=0, device=torch.device("cpu"), threads=1, params={"code": "code"})


def train(out, inputs, block=BLOCK, model="unet-brats", save_minutes=0, job=JOB):
    out.mkdir(exist_ok=True)
    names = {"model": "model.pt", "history": "history.tsv", "about": "about.json"}
    outputs = {name: out / file for name, file in names.items()}
    training.train(model, block, inputs, outputs, 1, save_minutes, job)
    return torch.load(out / "model.pt", weights_only=True)


def assert_same_weights(first, second):
    for name, tensor in first["network"].items():
        assert torch.equal(tensor, second["network"][name]), name


def test_slice_shape_comes_from_the_data(tmp_path):
    block = {
        **BLOCK,
        "autoencoder": {"channels": [8, 8], "halvings": 2, "latent": 4, "slope": 0.01},
        "dropout": 0.2,
        "training": {**BLOCK["training"], "epochs": 1},
    }
    del block["widths"]
    model = train(tmp_path / "ae", data(tmp_path), block, model="ae")
    assert model["params"]["slice_shape"] == [48, 48]
    loaded = checkpoints.load(tmp_path / "ae/model.pt")
    assert loaded.network(torch.rand(1, 1, 48, 48)).shape == (1, 1, 48, 48)


# Runs the same training in another process, which gets a signal when it asks for the given batch
# (there are two per epoch).
INTERRUPTED = """
import os, signal, sys
sys.path[:0] = [{scripts!r}, {tests!r}, {unit!r}]
from pathlib import Path
from uad.base import logs
from uad.data import slices
import test_training as t
original = slices.TrainingSlices._batch
calls = []
def batch(*arguments):
    calls.append(1)
    if len(calls) == {at}:
        os.kill(os.getpid(), signal.{signal})
    return original(*arguments)
slices.TrainingSlices._batch = batch
folder = Path({folder!r})
with logs.job(folder / "log"):
    t.train(folder / "out", t.data(folder), save_minutes={save_minutes})
"""


def interrupt(folder, at, signal, save_minutes):
    """Train in another process, with a signal at a batch; the process and where it says it is."""
    code = INTERRUPTED.format(
        scripts=str(ROOT / "src"), tests=str(ROOT / "tests"),
        unit=str(ROOT / "tests/unit/engine"), folder=str(folder), at=at, signal=signal,
        save_minutes=save_minutes,
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    state = folder / "out/.state.pt"
    if not state.exists():
        return done, None
    return done, torch.load(state, weights_only=True)["state"]["cursor"]


def losses(folder):
    with open(folder / "history.tsv") as file:
        return [
            (line["train_loss"], line["val_loss"]) for line in csv.DictReader(file, delimiter="\t")
        ]


def assert_goes_on_to_the_same_bytes(folder, caplog):
    """How often the state is saved decides nothing of it: another `save_minutes` goes on too."""
    inputs = data(folder)
    whole = train(folder / "whole", inputs)
    with caplog.at_level("INFO"):
        resumed = train(folder / "out", inputs, save_minutes=17)
    assert "resuming after epoch" in caplog.text
    assert_same_weights(whole, resumed)
    assert not list((folder / "out").glob(".*"))
    assert losses(folder / "out") == losses(folder / "whole")
    assert len(losses(folder / "out")) == 6


@pytest.mark.parametrize(
    ("at", "epochs", "batches"),
    [(2, 0, 1), (3, 1, 0), (8, 3, 1)],  # within an epoch, and between two
)
def test_resumes_after_sigkill_to_the_same_bytes(tmp_path, caplog, at, epochs, batches):
    done, cursor = interrupt(tmp_path, at, "SIGKILL", save_minutes=0)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "out/model.pt").exists()
    assert (cursor["epoch"], len(cursor["losses"])) == (epochs, batches)
    (tmp_path / "out/.99999999..state.pt").touch()  # what a process killed while saving leaves
    assert_goes_on_to_the_same_bytes(tmp_path, caplog)


def test_sigterm_saves_and_ends(tmp_path, caplog):
    done, cursor = interrupt(tmp_path, 4, "SIGTERM", save_minutes=1000)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "Error: unet-brats fold 0: stopped by SIGTERM; run again to resume\n"
    )
    assert (cursor["epoch"], len(cursor["losses"])) == (1, 2)  # the fourth batch was still learned
    assert_goes_on_to_the_same_bytes(tmp_path, caplog)


def test_sigusr1_saves_and_goes_on(tmp_path):
    done, cursor = interrupt(tmp_path, 4, "SIGUSR1", save_minutes=1000)
    assert done.returncode == 0, done.stderr
    assert "saved the state: 1 epochs and 2 batches" in (tmp_path / "log").read_text()
    assert cursor is None and (tmp_path / "out/model.pt").exists()


def test_state_of_the_gradient_scaler_is_resumed(tmp_path):
    # In use on GPUs only; put in by hand here.
    saved = SavedState(tmp_path / "state.pt", "same", 1, "label")
    saved.save(State(), {"scaler": torch.amp.GradScaler("cpu", init_scale=8.0)})
    other = torch.amp.GradScaler("cpu")
    saved.resume({"scaler": other}, torch.device("cpu"))
    assert other.get_scale() == 8.0


def test_same_seed_same_bytes_other_seed_not(tmp_path):
    inputs = data(tmp_path)
    first, second = (train(tmp_path / name, inputs) for name in "ab")
    assert_same_weights(first, second)
    other = train(tmp_path / "c", inputs, model="unet-atlas")
    assert not torch.equal(first["network"]["head.weight"], other["network"]["head.weight"])


def test_state_of_another_configuration_is_not_resumed(tmp_path):
    inputs, out = data(tmp_path), tmp_path / "out"
    clean = train(tmp_path / "clean", inputs)
    out.mkdir()
    checkpoints.write({"fingerprint": "other", "network": {}}, out / ".state.pt")
    assert_same_weights(clean, train(out, inputs))


@pytest.mark.parametrize("harm", ["half a file", "one bit", "zeros"])
def test_damaged_state_is_not_resumed(tmp_path, caplog, harm):
    inputs, out = data(tmp_path), tmp_path / "out"
    interrupt(tmp_path, 8, "SIGKILL", save_minutes=0)
    content = bytearray((out / ".state.pt").read_bytes())
    weights = torch.load(out / ".state.pt", weights_only=True)["parts"]["network"]
    at = content.index(weights["head.weight"].numpy().tobytes())
    if harm == "half a file":
        content = content[:at]
    elif harm == "one bit":
        content[at] ^= 1
    else:
        content[at : at + 8] = bytes(8)
    (out / ".state.pt").write_bytes(content)
    assert_same_weights(train(tmp_path / "clean", inputs), train(out, inputs))
    assert f"starting over: {out}/.state.pt: " in caplog.text


def test_model_file_says_how_it_was_made(tmp_path):
    content = train(tmp_path / "out", data(tmp_path))
    assert content["method"] == "unet"
    assert content["params"] == {"widths": [4, 8]}
    assert content["training"] == BLOCK["training"]
    assert content["code"] == "code" and content["fold"] == 0
    assert "torch" in content["versions"]
    assert content["val_loss"] < 1
    about = json.loads((tmp_path / "out/about.json").read_text())
    assert about == {key: value for key, value in content.items() if key != "network"}
    weights = (t for name, t in content["network"].items() if "running" not in name)
    assert about["parameters"] == {"trained": sum(t.numel() for t in weights), "frozen": 0}


def test_the_model_file_holds_the_best_state(tmp_path, monkeypatch):
    states, fit = [], loop.fit
    monkeypatch.setattr(loop, "fit", lambda *a: states.append(fit(*a)) or states[-1])
    content = train(tmp_path / "out", data(tmp_path))
    history = tsv.read(tmp_path / "out/history.tsv")
    assert history["val_loss"].notna().sum() == 3
    assert content["val_loss"] == pytest.approx(history["val_loss"].min())
    assert_same_weights({"network": states[0].best}, content)


def test_training_lowers_the_loss(tmp_path):
    block = {**BLOCK, "training": {**BLOCK["training"], "epochs": 12}}
    train(tmp_path / "out", data(tmp_path), block)
    history = tsv.read(tmp_path / "out/history.tsv")
    assert history["val_loss"].iloc[-1] < 0.7 * history["train_loss"].iloc[0]


def test_a_model_starts_from_the_one_that_was_pretrained_for_it(tmp_path):
    inputs = data(tmp_path)
    size = {"width": 4, "blocks": [1, 1], "drop_path": 0.1}
    settings = {**BLOCK["training"], "epochs": 2, "augment": False}
    spark = {"pretrained": None, "encoder": size, "mask_ratio": 0.65, "training": settings}
    first = train(tmp_path / "spark", inputs, spark, "spark")["network"]
    inputs["pretrained"] = str(tmp_path / "spark/model.pt")
    cddpm = {
        "pretrained": "spark",
        "unet": {
            "channels": 8, "multipliers": [1], "res_blocks": 1, "head_channels": 8,
            "norm_groups": 4,
        },
        "encoder": {**size, "features": 8},
        "steps": 1000,
        "test_levels": [500],
        "noise": {"octaves": 1, "persistence": 0.8, "wavelength": 16},
        "training": {**settings, "learning_rate": 1e-9},  # stays where it starts
    }  # fmt: skip
    found = train(tmp_path / "cddpm", inputs, cddpm, "cddpm")["network"]
    for name, value in first.items():
        if name.startswith("encoder.") and name.endswith(".weight"):
            torch.testing.assert_close(found[name], value, atol=1e-6, rtol=0)


def test_zero_gpus_where_one_is_demanded():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(InputError, match="accelerator: cuda is configured, but torch sees no GPU"):
        devices.choose("cuda")
    assert devices.choose("auto").type == "cpu"
    assert devices.choose("cpu").type == "cpu"


def test_a_loss_that_is_not_finite_is_named(tmp_path):
    block = {**BLOCK, "training": {**BLOCK["training"], "learning_rate": 1e30}}
    with pytest.raises(InputError, match="unet-brats fold 0: no validation loss was finite"):
        train(tmp_path / "out", data(tmp_path), block)
    assert not (tmp_path / "out" / "model.pt").exists()


def test_a_model_file_with_one_wrong_bit_is_named(tmp_path):
    path, value = tmp_path / "model.pt", torch.rand(100)
    checkpoints.write({"a": value}, path)
    content = bytearray(path.read_bytes())
    content[content.index(value.numpy().tobytes()) + 200] ^= 4
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)["a"].shape == (100,)  # torch does not notice
    with pytest.raises(InputError, match="model.pt: is damaged .wrong check sum of .*data/0"):
        checkpoints.read(path)


def test_damaged_model_file_is_named(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(InputError, match="model.pt: cannot be read as a model file"):
        checkpoints.load(tmp_path / "model.pt")
    with pytest.raises(InputError, match="none.pt: no such file"):
        checkpoints.load(tmp_path / "none.pt")


def test_weights_that_do_not_fit_are_named(tmp_path):
    checkpoints.save(
        tmp_path / "m.pt", "unet", {"widths": [4, 8]}, {"head.weight": torch.zeros(1)}, "c"
    )
    with pytest.raises(InputError, match="m.pt: the weights do not fit"):
        checkpoints.load(tmp_path / "m.pt")


def test_validation_uses_the_same_numbers_every_time(tmp_path, monkeypatch):
    states, original = [], loop.validate

    def validate(method, batches, rng):
        states.append((batches, rng.bit_generator.state))
        return original(method, batches, rng)

    monkeypatch.setattr(loop, "validate", validate)
    train(tmp_path / "out", data(tmp_path))
    assert len(states) == 3
    for batches, state in states:
        assert batches is states[0][0] and state == states[0][1]


DIFFUSION = {
    **BLOCK,
    "unet": {
        "channels": 8, "multipliers": [1], "res_blocks": 1, "head_channels": 8, "norm_groups": 4,
    },
    "steps": 1000,
    "test_levels": [250, 500],
    "noise": {"octaves": 1, "persistence": 0.8, "wavelength": 16},
    "training": {**BLOCK["training"], "epochs": 1, "save_minutes": 3},
}  # fmt: skip
del DIFFUSION["widths"]


def test_what_only_matters_after_training_is_not_in_the_model(tmp_path):
    inputs = data(tmp_path)
    first = train(tmp_path / "first", inputs, DIFFUSION, "ddpm")
    assert "test_levels" not in first["params"] and "save_minutes" not in first["training"]
    assert first["training"]["epochs"] == 1 and first["params"]["steps"] == 1000
    second = train(tmp_path / "second", inputs, DIFFUSION | {"test_levels": [1]}, "ddpm")
    assert_same_weights(first, second)
    about = [(tmp_path / name / "about.json").read_text() for name in ("first", "second")]
    assert about[0] == about[1]
    loaded = checkpoints.load(tmp_path / "first/model.pt", test={"test_levels": [1, 2, 3]})
    assert loaded.levels == 3


def test_models_with_settings_of_older_versions_can_be_loaded(tmp_path):
    content = train(tmp_path / "out", data(tmp_path), DIFFUSION, "ddpm")
    content["params"]["test_levels"] = [250, 500]
    content["training"]["save_minutes"] = 10
    checkpoints.write(content, tmp_path / "old.pt")
    assert checkpoints.load(tmp_path / "old.pt").levels == 2
    assert checkpoints.load(tmp_path / "old.pt", test={"test_levels": [1]}).levels == 1


def test_a_model_on_another_does_not_ask_for_its_test_levels(tmp_path):
    inputs = data(tmp_path)
    train(tmp_path / "ddpm", inputs, DIFFUSION, "ddpm")
    inputs["upstream"] = str(tmp_path / "ddpm/model.pt")
    upper = BLOCK | {"upstream": "ddpm", "training": DIFFUSION["training"]}
    found = train(tmp_path / "out", inputs, upper, "unet_res-brats")
    assert found["params"] == {"widths": [4, 8]}


def test_a_changed_setting_for_after_training_goes_on_from_the_saved_state(tmp_path):
    """And one for training does not."""
    inputs, seen = data(tmp_path), []

    def fingerprint_of(job=JOB, **changes):
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(loop, "fit", lambda *a: seen.append(a[-1].fingerprint) or 1 / 0)
                train(tmp_path / "out", inputs, DIFFUSION | changes, "ddpm", job=job)
        except ZeroDivisionError:
            return seen.pop()

    before = fingerprint_of()
    assert fingerprint_of(test_levels=[1]) == before
    saving = DIFFUSION["training"] | {"save_minutes": 99}
    assert fingerprint_of(training=saving) == before
    elsewhere = {"accelerator": "cuda", "local_gpus": 2, "save_minutes": 1}
    job = replace(JOB, threads=2, device=torch.device("meta"), params=JOB.params | elsewhere)
    assert job.fingerprint([], a=1) == JOB.fingerprint([], a=1) != JOB.fingerprint([], a=2)
    # Of all other parameters of the rule, even if nothing here knows of them.
    for name in ("code", "anything"):
        assert fingerprint_of(replace(JOB, params=JOB.params | {name: "other"})) != before
    assert fingerprint_of(steps=500) != before
    assert fingerprint_of(training=DIFFUSION["training"] | {"epochs": 2}) != before


def test_parameters_of_the_jobs():
    block = methods.training_params("ddpm", DIFFUSION)
    assert set(DIFFUSION) - set(block) == {"test_levels"}
    assert set(DIFFUSION["training"]) - set(block["training"]) == {"save_minutes"}
    assert methods.training_params("ddpm", block) == block
    assert methods.test_params("ddpm", DIFFUSION) == {"test_levels": [250, 500]}
    assert methods.test_params("unet", BLOCK) == {}


def test_sources_of_the_jobs():
    package = "uad.models.methods"
    assert methods.sources("cddpm") == (f"{package}.cddpm",)
    assert methods.sources("unet_res", "cddpm", "draem") == (
        f"{package}.unet_res", f"{package}.cddpm", "uad.models.anomalies.draem",
    )  # fmt: skip
    assert methods.sources("unet_res", "cddpm", "brats") == (
        f"{package}.unet_res", f"{package}.cddpm",
    )  # fmt: skip


def test_kill_leaves_no_partial_model(tmp_path):
    # A writer that dies between writing and renaming leaves the old file as it was.
    target = tmp_path / "model.pt"
    checkpoints.write({"a": torch.ones(1)}, target)
    child = subprocess.Popen(
        [sys.executable, "-c", f"""
import sys, time; sys.path.insert(0, {str(ROOT / 'src')!r})
from uad.base.files import replacing
with replacing({str(target)!r}) as temporary:
    temporary.write_bytes(b'half'); print('writing', flush=True); time.sleep(60)
"""],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    time.sleep(0.05)
    assert checkpoints.read(target)["a"].item() == 1
    (litter,) = tmp_path.glob(".*")
    other = tmp_path / f".{os.getpid()}.other.pt"  # of a living process, and of another file
    other.touch()
    checkpoints.write({"a": torch.ones(1)}, target)
    assert not litter.exists() and other.exists()
    assert np.isfinite(checkpoints.read(target)["a"].numpy()).all()


def test_precision_on_the_cpu(tmp_path):
    """There 16-mixed means 32 bits; bfloat16 is in effect, and trains about as well."""
    inputs, weights, losses = data(tmp_path), {}, {}
    for precision in ("32-true", "16-mixed", "bf16-mixed"):
        block = {**BLOCK, "training": {**BLOCK["training"], "precision": precision}}
        stored = train(tmp_path / precision, inputs, block)
        weights[precision] = torch.cat([w.flatten() for w in stored["network"].values()])
        losses[precision] = stored["val_loss"]
    assert torch.equal(weights["16-mixed"], weights["32-true"])
    assert weights["bf16-mixed"].dtype == torch.float32
    assert not torch.equal(weights["bf16-mixed"], weights["32-true"])
    assert losses["bf16-mixed"] == pytest.approx(losses["32-true"], rel=0.1)


# As in the released code.


def caught(monkeypatch):
    """Training that ends before its first step; the arguments of the loop."""
    found = {}

    def fit(method, data, validation, *rest):
        found.update(method=method, data=data, validation=validation)
        raise StopIteration

    monkeypatch.setattr(loop, "fit", fit)
    return found


def start(folder, monkeypatch, model, synthetic=None, **changes):
    found = caught(monkeypatch)
    block = {**BLOCK, "training": {**BLOCK["training"], **changes}}
    outputs = dict.fromkeys(("model", "history", "about"), folder / "out/model.pt")
    with pytest.raises(StopIteration):
        training.train(model, block, data(folder), outputs, 1, 0, JOB, synthetic)
    return found


@pytest.mark.parametrize(
    ("model", "drop_last", "dropped"),
    [
        ("unet-draem", "healthy", True), ("unet", "healthy", True),
        ("unet-brats", "healthy", False), ("unet-draem", False, False), ("unet-brats", True, True),
    ],
)  # fmt: skip
def test_last_batch_by_what_it_is_trained_on(tmp_path, monkeypatch, model, drop_last, dropped):
    found = start(tmp_path, monkeypatch, model, drop_last=drop_last)
    assert found["data"].drop_last is dropped


def test_validation_on_anomalies_like_those_of_the_training(tmp_path, monkeypatch):
    """The validation subject has a lesion in the pack; an anomaly takes its place."""
    lesions = {}
    for validation in ("test", "training"):
        found = start(tmp_path, monkeypatch, "unet-draem", {"validation": validation})
        lesions[validation] = torch.cat([batch.lesion for batch in found["validation"]])
        assert found["data"].corrupt is not None
    stored = np.load(tmp_path / "packed/lesion.npy")[2] > 0
    assert lesions["test"].sum() == stored[[2, 6, 10]].sum()
    assert not torch.equal(*lesions.values())
    found = start(tmp_path, monkeypatch, "unet-draem", {"validation": "training"},
                  validation="random")  # fmt: skip
    assert found["validation"].corrupt is found["data"].corrupt


def test_random_validation_draws_one_augmented_slice_of_each_validation_volume(
    tmp_path, monkeypatch
):
    found = start(tmp_path, monkeypatch, "unet-brats", validation="random")["validation"]
    assert list(found.rows) == [2] and found.slices_per_volume == 1
    assert found.augment and not found.drop_last and found.corrupt is None


def stage_two(folder, name, frozen="drifting"):
    """Train Unet_res on a small cDDPM, whose layers that start at zero have values."""
    inputs, upstream = data(folder), folder / "cddpm.pt"
    if not upstream.exists():
        diffusion = {
            "unet": {"channels": 8, "multipliers": [1, 1], "res_blocks": 1, "head_channels": 8,
                     "norm_groups": 4},
            "encoder": {"width": 4, "blocks": [1, 1], "features": 8, "drop_path": 0.1},
            "steps": 1000, "noise": {"octaves": 3, "persistence": 0.8, "wavelength": 16},
        }  # fmt: skip
        torch.manual_seed(0)
        network = methods.build("cddpm", diffusion).network
        for parameter in network.parameters():
            if (parameter == 0).all():
                torch.nn.init.normal_(parameter, std=0.1)
        checkpoints.save(upstream, "cddpm", diffusion, network.state_dict(), "code")
    inputs["upstream"] = str(upstream)
    block = {**BLOCK, "frozen": frozen, "training": {**BLOCK["training"], "epochs": 2}}
    files = {"model": "model.pt", "history": "history.tsv", "about": "about.json"}
    files |= {"upstream": "upstream.pt"} if frozen == "drifting" else {}
    (folder / name).mkdir(exist_ok=True)
    outputs = {key: folder / name / file for key, file in files.items()}
    training.train("unet_res-brats", block, inputs, outputs, 1, 0, JOB)
    return torch.load(outputs["model"], weights_only=True)["network"]


def states(*paths):
    """Weights of stored cDDPMs."""
    test = {"test_levels": [500]}
    return [checkpoints.load(path, test=test).network.state_dict() for path in paths]


def test_a_drifting_upstream_model_is_stored_as_it_has_become(tmp_path):
    still, drifting = (stage_two(tmp_path, frozen, frozen) for frozen in ("evaluation", "drifting"))
    assert still.keys() == drifting.keys()
    before, after = states(tmp_path / "cddpm.pt", tmp_path / "drifting/upstream.pt")
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {
        name
        for name in before
        if name.startswith("encoder.") and ("running" in name or "batches" in name)
    }


def test_a_drifting_training_goes_on_where_it_stopped_and_its_encoder_reconstructs(
    tmp_path, monkeypatch, caplog
):
    whole = stage_two(tmp_path, "whole")
    original, calls = slices.TrainingSlices._batch, []

    def stop(*arguments):
        calls.append(1)
        if len(calls) == 4:  # the second epoch's last batch
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(slices.TrainingSlices, "_batch", stop)
        with pytest.raises(KeyboardInterrupt):
            stage_two(tmp_path, "out")
    assert not (tmp_path / "out/upstream.pt").exists()
    with caplog.at_level("INFO"):
        resumed = stage_two(tmp_path, "out")
    assert "resuming after epoch 1 and 1 batches" in caplog.text
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    first, second = states(tmp_path / "whole/upstream.pt", tmp_path / "out/upstream.pt")
    assert all(torch.equal(value, second[name]) for name, value in first.items())

    found = {}
    # Brains are given apart from what training reads.
    files = [tmp_path / "packed" / name for name in ("image.npy", "brain.npy", "subjects.tsv")]
    subjects = Evaluated(files, tmp_path / "split.tsv", with_training=False)
    for name in ("cddpm.pt", "whole/upstream.pt", "out/upstream.pt"):
        path = tmp_path / "reconstruction.npy"
        reconstruction.reconstruct(subjects, tmp_path / name, {"test_levels": [500]}, 1, JOB, path)
        found[name] = np.load(path)
        path.unlink()
    assert np.array_equal(found["whole/upstream.pt"], found["out/upstream.pt"])
    assert not np.array_equal(found["cddpm.pt"], found["whole/upstream.pt"])
