"""Block `training` of the configuration; standard library only."""

from dataclasses import dataclass
from typing import Annotated, Literal

from uad.base.settings import Block, Bounds, key


@dataclass(frozen=True)
class Training(Block):
    """Block `training`, or that of a method merged over it."""

    learning_rate: float = key("of Adam", source="App. B", gt=0)
    betas: list[Annotated[float, Bounds(ge=0, lt=1)]] = key(
        "decay rates of Adam's averages", source="App. B", min_length=2, max_length=2
    )
    weight_decay: float = key("decoupled from the gradient (AdamW); 0 is Adam", default=0, ge=0)
    epochs: int = key(
        "passes over the training volumes; 0 for a method without trained weights",
        source="App. B",
        ge=0,
    )
    batch_size: int = key("slices per batch", unit="slices", source="App. B", ge=1)
    slices_per_volume: int = key(
        "random slices from each volume per epoch", unit="slices", source="code", ge=1
    )
    drop_last: Literal[True, False, "healthy"] = key(
        "leave out an epoch's last batch if it is not full; `healthy`: only in trainings on "
        "healthy subjects, synthetic anomalies among them, as the authors' loaders do",
        source="code",
    )
    augment: bool = key("random gamma, bias field, blur and ghosting", source="App. B")
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = key(
        "of networks, in training and at test time; 32-true, or mixed with 16-bit floats; the CPU "
        "computes in 32 bits instead of 16-mixed",
        source="code",
    )
    validate_every: int = key(
        "epochs between validations; the authors' code validates every epoch on random slices",
        unit="epochs",
        source="here",
        ge=1,
    )
    validation: Literal["fixed", "random"] = key(
        "what chooses the best checkpoint: `fixed` slices, noise levels and noise; or, as in the "
        "authors' code, `random` ones at every validation, one augmented slice per volume",
        default="fixed",
        source="here",
    )
    validation_slices: int = key(
        "fixed, evenly spaced slices per validation volume", unit="slices", source="here", ge=1
    )
    save_minutes: float = key(
        "time between saves of the state for resuming", unit="min", source="here", ge=0
    )
    schedule: Literal["cosine", "linear"] | None = key(
        "how the learning rate falls to 0 at the last step; `null`: it stays", default=None
    )
    warm_up: float | None = key(
        "epochs in which it rises from 0 to its value first, or `null`",
        default=None,
        unit="epochs",
        gt=0,
    )
    clip: float | None = key(
        "norm that the gradient is cut to if it is longer, or `null`", default=None, gt=0
    )
    ema: float | None = key(
        "decay per step of the moving average of the weights that is validated and stored, such "
        "as 0.999, or `null` for the weights themselves",
        default=None,
        gt=0,
        lt=1,
    )
