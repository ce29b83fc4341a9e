"""Rule import_maps: anomaly maps made elsewhere, checked and on the packed grid."""

from functools import partial

from uad.base import digests, logs, settings, tsv
from uad.base.files import replacing
from uad.data import packed, splits
from uad.data.external import Found, maps
from uad.data.external.maps import Preprocessed
from uad.imaging.settings import Downsampling


def read(grid, ways, block, prepared, subject, path):
    """A map from where it lies."""
    if ways is None:
        return maps.read_packed(path, grid)
    return maps.read_resampled(path, Preprocessed(*ways[subject]), block, prepared)


with logs.job(snakemake.log[0]) as log:
    inputs, params = snakemake.input, snakemake.params
    fold = int(snakemake.wildcards.fold)
    found = [Found(*line) for line in params.found]
    block = settings.build(Downsampling, params.settings, "preprocessing")
    lines = []
    for i, dataset in enumerate(params.datasets):
        split, with_training = tsv.read(inputs.splits[i]), params.with_training[i]
        paths, remarks = maps.in_order(found, dataset, split, fold, with_training)
        shape = packed.of_files(inputs[dataset]).image.shape[1:]
        grid = maps.packed_grid(shape, block.spacing_mm)
        of = (grid, params.ways.get(dataset), block, params.prepared.get(dataset))
        remarks += maps.import_maps(
            snakemake.output.maps[i],
            paths,
            splits.evaluated(split, fold, with_training),
            partial(read, *of),
            shape,
            digests.fingerprint(
                code=params.code,
                settings=params.settings,
                ways=params.ways,
                inputs=digests.file_states([*inputs, *paths]),
            ),
        )
        lines += [f"{dataset}: {remark}" for remark in remarks]
    for line in lines:
        log.warning(line)
    with replacing(snakemake.output.remarks) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
