"""Pictures of a row's anomaly maps of every test subject, scored.

Apart from `uad.evaluation.map_pictures`, so that pages need nothing of what scores.
"""

from collections.abc import Iterator, Mapping, Sequence

from uad.evaluation import map_pictures
from uad.evaluation.map_pictures import MapPicture
from uad.evaluation.scores import Cohort, RowScore
from uad.imaging import mosaic


def collect(
    maps: Sequence[str],
    cohorts: Mapping[str, Cohort],
    residual: dict,
    seed: int,
    healthy: str | None = None,
) -> Iterator[tuple[str, str, MapPicture, dict[str, bytes]]]:
    """Each test subject's map, for `map_pictures.write`.

    Parameters
    ----------
    maps : sequence of str
        What the row adds up.
    cohorts : dict of str to Cohort
        By test set.
    residual : dict
        See `Cohort.anomaly_map`.
    seed : int
    healthy : str, optional
        Model whose mean reconstruction is kept too.
    """
    for test_set, cohort in cohorts.items():
        reconstruction = cohort.reconstruction(healthy) if healthy else None
        for volume, score in RowScore(maps, cohort, residual, seed).of("test"):
            peak = float(score.max())
            shown = map_pictures.boxed(score, volume.brain)
            pictures = {"map": mosaic.encode(map_pictures.scaled(shown, peak or 1))}
            if reconstruction:
                inside = reconstruction(volume) * volume.brain
                boxed = map_pictures.boxed(inside, volume.brain)
                pictures["healthy"] = mosaic.encode(map_pictures.scaled(boxed, 1))
            dice = map_pictures.dice_above(score, volume.lesion)
            about = MapPicture(list(shown.shape), peak, dice)
            yield test_set, volume.subject, about, pictures
