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
    epochs: int = key("passes over the training volumes", source="App. B", ge=1)
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
