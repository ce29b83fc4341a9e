"""A model bundle: what prediction needs of a run, in one file that holds nothing of a patient.

A zip archive, not compressed, with

`manifest.json`
    how scans are preprocessed and scored, thresholds, what healthy validation brains showed,
`README.md`
    the model card,
`models/<model>/fold-<fold>/model.pt`
    weights and parameters, see `uad.engine.checkpoints`.

It is sealed (`uad.base.sealed`): any changed byte is noticed, and equal content gives equal bytes.
Nothing in it is unpickled: it is JSON, Markdown, and tensors that torch reads with `weights_only`.
Standard library only, since runs are planned with it.
"""

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from uad.base import digests, sealed
from uad.base.errors import InputError

# Of the archive and its manifest; another one is refused.
FORMAT = 1
MANIFEST, CARD = "manifest.json", "README.md"
ATLAS_PARTS = ("head", "brain")


def model_name(model: str, fold: int) -> str:
    """A model's place in the archive."""
    return f"models/{model}/fold-{fold}/model.pt"


def write(path: Path | str, manifest: Mapping, card: str, models: Mapping[str, Any]) -> None:
    """Write a bundle, complete or not at all.

    Parameters
    ----------
    path : path-like
    manifest : mapping
        Plain values; `format` is added.
    card : str
        Markdown.
    models : mapping of str to path-like
        Names in the archive (`model_name`) to files.
    """
    content = json.dumps({"format": FORMAT, **manifest}, indent=1, allow_nan=False)
    members = {MANIFEST: (content + "\n").encode(), CARD: card.encode()}
    sealed.write(path, members | {name: models[name] for name in sorted(models)}, compressed=False)


def read(path: Path | str) -> dict[str, Any]:
    """The manifest of a bundle; its seal is not checked, which takes seconds.

    Raises
    ------
    InputError
        If there is no bundle of this format.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"{path}: no such file (predict.bundle); `snakemake bundle` makes one, see "
            "docs/predict.md"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(MANIFEST))
            form = manifest["format"]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: is no model bundle of this workflow, or is damaged ({error}); please get it "
            "again"
        ) from error
    if form != FORMAT:
        raise InputError(
            f"{path}: is a bundle of format {form}, and this version of the workflow reads format "
            f"{FORMAT} only; please use the version that made it ({manifest.get('revision')})"
        )
    return manifest


def check(path: Path | str) -> dict[str, Any]:
    """The manifest of a bundle in which no byte has changed.

    Raises
    ------
    InputError
        See `read`; or if any byte is not as it was written.
    """
    read(path)  # for its sentences
    if not sealed.is_whole(path):
        raise InputError(
            f"{path}: is damaged or was changed: its checksum is not the one it was sealed with; "
            "please get it again"
        )
    return read(path)


@contextmanager
def unpacked(path: Path | str, folder: Path | str) -> Iterator[dict[str, Any]]:
    """Check a bundle and put its models into a folder of their own; yields the manifest.

    The folder is deleted at the end, and at the start if a killed process has left it.
    """
    manifest = check(path)
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with zipfile.ZipFile(path) as archive:
            for name in model_files(manifest):
                try:
                    content = archive.read(name)
                except KeyError:
                    raise InputError(f"{path}: lacks {name}; please get it again") from None
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        yield manifest
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def model_files(manifest: Mapping) -> Iterator[str]:
    """Names of the models in the archive, fold by fold."""
    for fold in manifest["folds"]:
        for model in manifest["models"]:
            yield model_name(model, fold)


def check_atlas(path: Path | str, manifest: Mapping, **templates: Path | str) -> None:
    """Raise `InputError` unless the atlas is the one that a bundle was made with.

    Parameters
    ----------
    path : path-like
        Of the bundle, for the message.
    manifest : mapping
    **templates : path-like
        `head` and `brain`.
    """
    for part in ATLAS_PARTS:
        template = templates[part]
        if not Path(template).is_file():
            raise InputError(
                f"{template}: no such file; atlas.{part} must be the atlas that {path} was made "
                "with, and `snakemake download` fetches SRI24"
            )
        if digests.sha256(template) != manifest["atlas"]["sha256"][part]:
            raise InputError(
                f"{template}: is not the atlas that {path} was made with (its SHA-256 differs); "
                f"please set atlas.{part} to that one"
            )
