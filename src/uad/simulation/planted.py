"""Lesions of known place, size and contrast in healthy scans, on the grid that networks see.

What is planted is a change of the packed image: every voxel of a lesion gets darker or brighter by
a share of what it was, so that contrast is relative to the local tissue, and the mask is exact. The
lesions of one subject and place grow from the same centre: a larger one holds every smaller one,
with the same texture. So curves against size and contrast compare like with like.

Several lesions share a scan if that changes nothing: all methods of the project look at axial
slices one by one, and residual maps reach a few slices further, so lesions are kept `APART`. Not so
methods that scale their map by the whole scan's (`planted.alone`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.cluster import vq

from uad.base import seeding
from uad.base.errors import InputError
from uad.base.logs import log
from uad.data.packed import Pack, PackedVolume
from uad.simulation.settings import Planted

# Slices between two lesions of a scan. The residual map reaches 6: SSIM 4, the median filter after
# it 2 more (`uad.models.residuals`); the widest window of `examples/methods/ssim_ensemble.py` 8.
APART = 8
MOST = 255  # lesions in a scan: their numbers are stored in 8 bits
CORTEX_MM = 8.0  # from the brain's surface: the ribbon and the walls of shallow sulci
CORE_MM = 10.0  # white matter this deep has no cortex next to it
# Shares of the brain's box, (Z from below, X, Y from the front). After the crop to 100 mm of an
# atlas brain the basal ganglia and thalami are in this ellipsoid, and of what lies below and behind
# these shares all but the brain stem is cerebellum.
DEEP_CENTRE, DEEP_RADII = (0.5, 0.5, 0.45), (0.15, 0.25, 0.17)
CEREBELLUM_BELOW, CEREBELLUM_BEHIND = 0.22, 0.6
ROUGHNESS, ROUGHNESS_MM = 0.15, 6.0  # of a lesion's outline: standard deviation and its scale
PATCHINESS, PATCH_VOXELS = 0.5, 1.0  # the same of a patchy lesion's contrast
PATCHES = (0.2, 1.8)  # and its ends


def tissues(image: np.ndarray, brain: np.ndarray, modality: str) -> dict[str, np.ndarray]:
    """Fluid, grey and white matter of a scan by its intensities (three means).

    No label map is needed, which the project does not have of real scans.

    Parameters
    ----------
    image : ndarray of float32, shape (Z, X, Y)
    brain : ndarray of bool, shape (Z, X, Y)
    modality : {"T1", "T2"}
        On T1 fluid is the darkest and white matter the brightest, on T2 the other way round.
    """
    values = image[brain].astype(float)
    start = np.percentile(values, (10, 50, 90))
    means = np.sort(vq.kmeans2(values[:, None], start[:, None], minit="matrix")[0].ravel())
    nearest = np.abs(image[..., None] - means).argmin(axis=-1)
    names = ("fluid", "grey", "white") if modality == "T1" else ("white", "grey", "fluid")
    return {name: (nearest == i) & brain for i, name in enumerate(names)}


def where(
    image: np.ndarray, brain: np.ndarray, spacing_mm: float, modality: str = "T1"
) -> dict[str, np.ndarray]:
    """Voxels that may be the centre of a lesion, by place (`settings.PLACES`).

    By tissue, by the distance from the surface of the brain, and by the position in its box: scans
    are registered to an atlas, so that its parts are at much the same shares of the box.

    Parameters
    ----------
    image : ndarray of float32, shape (Z, X, Y)
        Arrays are in LPS order: Z from below, X from the right, Y from the front.
    brain : ndarray of bool, shape (Z, X, Y)
    spacing_mm : float
    modality : {"T1", "T2"}
    """
    tissue = tissues(image, brain, modality)
    depth_mm = ndimage.distance_transform_edt(brain) * spacing_mm
    box = [(found.min(), found.max() + 1) for found in np.nonzero(brain)]
    z, x, y = (
        ((np.arange(n) + 0.5 - low) / (high - low)).reshape(
            [-1 if i == axis else 1 for i in range(3)]
        )
        for axis, (n, (low, high)) in enumerate(zip(brain.shape, box))
    )
    away = zip((z, x, y), DEEP_CENTRE, DEEP_RADII)
    deep = sum(((at - centre) / radius) ** 2 for at, centre, radius in away) < 1
    low = (z < CEREBELLUM_BELOW) & (y > CEREBELLUM_BEHIND)
    base = np.broadcast_to(z < CEREBELLUM_BELOW, brain.shape)
    matter = tissue["grey"] | tissue["white"]
    return {
        "cortex": tissue["grey"] & (depth_mm <= CORTEX_MM) & ~base,
        "white_matter": tissue["white"] & (depth_mm >= CORE_MM) & ~deep & ~base,
        "deep": matter & deep,
        "cerebellum": matter & low,
    }


@dataclass(frozen=True)
class Site:
    """Where the lesions of one subject and place are.

    Attributes
    ----------
    place : str
    centre : tuple of int
        Voxel (z, x, y).
    voxels : ndarray of int
        Positions of the brain's voxels in the flat volume, the ones that come first when a lesion
        grows first: a lesion of n voxels is the first n.
    patches : ndarray of float
        How the contrast of a patchy lesion varies between these voxels, in `PATCHES`.
    """

    place: str
    centre: tuple[int, int, int]
    voxels: np.ndarray
    patches: np.ndarray


def site(
    volume: PackedVolume,
    place: str,
    candidates: np.ndarray,
    spacing_mm: float,
    most: int,
    rng: np.random.Generator,
) -> Site:
    """Draw a centre, and the order in which lesions grow from it.

    Parameters
    ----------
    volume : PackedVolume
    place : str
    candidates : ndarray of bool, shape (Z, X, Y)
    spacing_mm : float
    most : int
        Voxels of the largest lesion.
    rng : numpy.random.Generator
    """
    shape = volume.brain.shape
    centre = np.unravel_index(rng.choice(np.flatnonzero(candidates)), shape)
    grid = np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True)
    distance = np.sqrt(sum((at - c) ** 2.0 for at, c in zip(grid, centre)))
    rough = 1 + ROUGHNESS * _noise(rng, shape, ROUGHNESS_MM / spacing_mm).clip(-2, 2)
    inside = np.flatnonzero(volume.brain)
    order = np.argsort((distance * rough).ravel()[inside], kind="stable")[:most]
    voxels = inside[order]
    patches = (1 + PATCHINESS * _noise(rng, shape, PATCH_VOXELS)).clip(*PATCHES).ravel()[voxels]
    return Site(place, tuple(map(int, centre)), voxels, patches)


def _noise(rng, shape, sigma):
    """Smooth noise of mean 0 and standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), sigma)
    return (noise - noise.mean()) / noise.std()


@dataclass(frozen=True)
class Lesion:
    """A lesion to be planted.

    Attributes
    ----------
    site : Site
    n : int
        Voxels.
    volume_ml : float
        As asked for; `n` voxels are the nearest to it.
    contrast : float
        Per cent of what was there.
    texture : str
    first, last : int
        Slices, z.
    """

    site: Site
    n: int
    volume_ml: float
    contrast: float
    texture: str
    first: int
    last: int

    @property
    def voxels(self) -> np.ndarray:
        """Positions in the flat volume."""
        return self.site.voxels[: self.n]

    def factors(self) -> np.ndarray:
        """What its voxels are multiplied by; the mean contrast is the same for both textures."""
        patches = self.site.patches[: self.n] if self.texture == "patchy" else np.ones(self.n)
        return 1 + self.contrast / 100 * patches / patches.mean()


def sites(
    volume: PackedVolume, spacing_mm: float, modality: str, settings: Planted, seed: int
) -> list[Site]:
    """One site for each place that the subject has; the others are named in the log.

    Where they are depends on the seed, the subject and the place, not on what else is planted.
    """
    found, candidates = [], where(volume.image, volume.brain, spacing_mm, modality)
    most = voxels(max(settings.volumes_ml), spacing_mm)
    for place in settings.places:
        if not candidates[place].any():
            log.warning("%s: has no voxel in the place %s", volume.subject, place)
            continue
        rng = seeding.generator(seed, "planted", volume.subject, place)
        found.append(site(volume, place, candidates[place], spacing_mm, most, rng))
    return found


def voxels(volume_ml: float, spacing_mm: float) -> int:
    """How many voxels have a volume, to the nearest."""
    return round(volume_ml / (spacing_mm**3 / 1000))


def lesions(
    found: Sequence[Site], shape: tuple[int, int, int], spacing_mm: float, settings: Planted
) -> list[Lesion]:
    """Every lesion of one subject: each volume, contrast and texture at each site.

    Raises
    ------
    InputError
        If a volume is less than a voxel, or the same number of voxels as another one.
    """
    sizes = {volume_ml: voxels(volume_ml, spacing_mm) for volume_ml in settings.volumes_ml}
    for volume_ml, n in sizes.items():
        if n == 0 or list(sizes.values()).count(n) > 1:
            raise InputError(
                f"configuration: planted.volumes_ml has {volume_ml:g} ml, which are {n} voxels of "
                f"{spacing_mm:g} mm: {'give larger ones' if n == 0 else 'another has as many'}"
            )
    made = []
    for at in found:
        for volume_ml, n in sizes.items():
            z = at.voxels[:n] // (shape[1] * shape[2])
            made += [
                Lesion(at, len(z), volume_ml, contrast, texture, int(z.min()), int(z.max()))
                for contrast in settings.contrasts
                for texture in settings.textures
            ]
    return made


def share(planned: Sequence[Lesion], alone: bool = False) -> list[list[Lesion]]:
    """Lesions of one subject, those together that a scan can hold `APART`; none if `alone`."""
    scans: list[list[Lesion]] = []
    for lesion in sorted(planned, key=lambda one: one.first - one.last):  # stable: largest first
        for others in scans if not alone else ():
            clear = all(
                lesion.first - other.last > APART or other.first - lesion.last > APART
                for other in others
            )
            if clear and len(others) < MOST:
                others.append(lesion)
                break
        else:
            scans.append([lesion])
    return scans


def plant(volume: PackedVolume, together: Sequence[Lesion]) -> tuple[np.ndarray, np.ndarray]:
    """A scan with lesions.

    Values stay in the range of the scan: preprocessing clips brighter ones, too.

    Returns
    -------
    image : ndarray of float32, shape (Z, X, Y)
    numbers : ndarray of uint8, shape (Z, X, Y)
        0, and 1, 2, ... in the lesions in the order of `together`.
    """
    image, numbers = volume.image.copy(), np.zeros(volume.image.shape, np.uint8)
    inside = volume.image[volume.brain]
    for number, lesion in enumerate(together, start=1):
        changed = image.ravel()[lesion.voxels] * lesion.factors()
        image.ravel()[lesion.voxels] = changed.clip(min(inside.min(), 0), inside.max())
        numbers.ravel()[lesion.voxels] = number
    return image, numbers


def sources(split: pd.DataFrame, folds: Sequence[int], n: int, seed: int) -> list[str]:
    """Healthy subjects to plant into: drawn among those that do nothing but test in all folds.

    Raises
    ------
    InputError
        If there are none.
    """
    roles = split.groupby("subject", sort=False)["role"].agg(set)
    tests = split[split["role"] == "test"].groupby("subject")["fold"].agg(set)
    allowed = sorted(s for s in roles.index[roles == {"test"}] if tests[s] >= set(folds))
    if not allowed:
        raise InputError(
            "no healthy subject is a test subject in all folds and has no other role in any, so "
            "that there is none to plant lesions into; set planted: null"
        )
    rng = seeding.generator(seed, "planted", "subjects")
    return sorted(rng.permutation(allowed)[:n].tolist())


class Scans:
    """All scans with planted lesions, and of each subject first the scan as it is.

    Parameters
    ----------
    healthy : Pack
    subjects : sequence of str
        From `sources`.
    spacing_mm : float
    modality : {"T1", "T2"}
    settings : Planted
    seed : int
        Of the run.

    Attributes
    ----------
    table : DataFrame
        A line per scan: `subject` (its label), `source`, `voxel_ml`, `brain_ml`, `lesion_ml`.
    lesions : DataFrame
        A line per lesion: `subject` (the scan's label), `number`, `source`, `place`, `texture`,
        `contrast` (per cent, asked for), `volume_ml` (asked for), `voxels`, `planted_ml`,
        `planted_contrast` (per cent, of the mean in the lesion), `z`, `x`, `y` (its centre).
    """

    def __init__(
        self,
        healthy: Pack,
        subjects: Sequence[str],
        spacing_mm: float,
        modality: str,
        settings: Planted,
        seed: int,
    ):
        self._healthy, self._planned = healthy, []
        lines, about = [], []
        for subject in subjects:
            volume = healthy.volume(subject)
            at = sites(volume, spacing_mm, modality, settings, seed)
            made = lesions(at, volume.image.shape, spacing_mm, settings)
            for i, together in enumerate([[], *share(made, settings.alone)]):
                label = f"{subject}p{i:03d}"
                self._planned.append((subject, together))
                line = _of_scan(volume, together, spacing_mm**3 / 1000)
                lines.append({"subject": label, "source": subject, **line})
                about += _of_lesions(volume, label, together, spacing_mm**3 / 1000)
        if not about:
            raise InputError(
                f"no healthy subject has a voxel in {', '.join(settings.places)}; name other "
                "planted.places"
            )
        self.table, self.lesions = pd.DataFrame(lines), pd.DataFrame(about)

    def contents(self) -> Iterator[dict[str, np.ndarray]]:
        """Arrays as `packed.write` takes them, in the order of `table`."""
        for subject, together in self._planned:
            volume = self._healthy.volume(subject)
            image, numbers = plant(volume, together)
            (row,) = self._healthy.rows([subject])
            yield {"image": image, "brain": self._healthy.brain[row], "lesion": numbers}


def _of_scan(volume, together, voxel_ml):
    return {
        "voxel_ml": voxel_ml,
        "brain_ml": np.count_nonzero(volume.brain) * voxel_ml,
        "lesion_ml": sum(lesion.n for lesion in together) * voxel_ml,
    }


def _of_lesions(volume, label, together, voxel_ml) -> list[Mapping]:
    image = plant(volume, together)[0].ravel()
    lines = []
    for number, lesion in enumerate(together, start=1):
        before = volume.image.ravel()[lesion.voxels].mean(dtype=float)
        after = image[lesion.voxels].mean(dtype=float)
        lines.append(
            {
                "subject": label,
                "number": number,
                "source": volume.subject,
                "place": lesion.site.place,
                "texture": lesion.texture,
                "contrast": lesion.contrast,
                "volume_ml": lesion.volume_ml,
                "voxels": lesion.n,
                "planted_ml": lesion.n * voxel_ml,
                "planted_contrast": 100 * (after / before - 1) if before else float("nan"),
                **dict(zip("zxy", lesion.site.centre)),
            }
        )
    return lines


def split_of(table: pd.DataFrame, folds: Sequence[int]) -> pd.DataFrame:
    """Every scan tests in every fold."""
    lines = [(subject, fold, "test") for fold in folds for subject in table["subject"]]
    return pd.DataFrame(lines, columns=["subject", "fold", "role"])
