"""Every path below the results folder, defined once.

Rules give wildcards such as ``"{model}"`` for names, library code gives names.
"""

from dataclasses import dataclass
from pathlib import Path

# Files of a subject's preprocessing, after its label; BIDS derivative names.
PREPROCESSED = {
    "registered": "space-SRI24_desc-registered_{weighted}.nii",
    "transform": "from-native_to-SRI24_mode-image_xfm.txt",
    "registration": "desc-registration_qc.json",
    "image": "space-SRI24_desc-preproc_{weighted}.nii.gz",
    "brain": "space-SRI24_desc-brain_mask.nii.gz",
    "lesion": "space-SRI24_label-lesion_mask.nii.gz",
    "field": "desc-biasfield_qc.json",
    "small_image": "space-SRI24_res-{resolution}_desc-preproc_{weighted}.nii.gz",
    "small_brain": "space-SRI24_res-{resolution}_desc-brain_mask.nii.gz",
    "small_lesion": "space-SRI24_res-{resolution}_label-lesion_mask.nii.gz",
    "quality": "desc-quality_qc.json",
    "picture": "desc-quality_qc.jpg",
}
# Of the files of a results folder; another version of the workflow than the one that wrote them may
# not read them. Models say theirs.
FORMAT = 2
PACKED = ("image.npy", "brain.npy", "lesion.npy", "subjects.tsv")


@dataclass(frozen=True)
class Paths:
    """Paths of one run.

    Attributes
    ----------
    root : str
        Results folder.
    weighted : str
        Contrast in names of images, such as ``T1w``.
    resolution : str
        Voxel size in names of downsampled volumes, such as ``2mm``.
    """

    root: str
    weighted: str = "T1w"
    resolution: str = "2mm"

    def relative(self, path: str | Path) -> str:
        """A path below the results folder, as links of the front page have it."""
        return Path(path).relative_to(self.root).as_posix()

    # Data.

    def raw(self, dataset: str) -> str:
        """Folder of a simulated data set, in its native layout."""
        return f"{self.root}/raw/{dataset}"

    @property
    def ages(self) -> str:
        """IXI's spreadsheet, simulated."""
        return f"{self.raw('ixi')}/IXI.xls"

    def atlas(self, name: str) -> str:
        """A file of the simulated atlas."""
        return f"{self.root}/atlas/{name}"

    def inventory(self, dataset: str, ending: str = "json") -> str:
        """What was found of a data set."""
        return f"{self.root}/inventory/{dataset}.{ending}"

    @property
    def inventory_page(self) -> str:
        """All data sets on one page."""
        return f"{self.root}/inventory/datasets.html"

    def preprocessed(self, dataset: str, subject: str, kind: str) -> str:
        """A file of a subject's preprocessing; `kind` is a key of `PREPROCESSED`."""
        ending = PREPROCESSED[kind].format(weighted=self.weighted, resolution=self.resolution)
        return f"{self.root}/preprocessed/{dataset}/sub-{subject}/sub-{subject}_{ending}"

    def of_subject(self, kind: str) -> str:
        """The same of the wildcard subject, for rules."""
        return self.preprocessed("{dataset}", "{subject}", kind)

    def packed(self, dataset: str) -> list[str]:
        """The files of a packed data set, in the order of `PACKED`."""
        return [self.packed_file(dataset, name) for name in PACKED]

    def packed_file(self, dataset: str, name: str) -> str:
        """One file of a packed data set: of `PACKED`, or ``excluded.tsv``."""
        return f"{self.root}/packed/{dataset}/{name}"

    def quality(self, dataset: str, ending: str = "html") -> str:
        """Page (``html``) or table (``tsv``) of a data set's preprocessing."""
        return f"{self.root}/qc/{dataset}.{ending}"

    def split(self, dataset: str) -> str:
        """Subjects, folds and roles of a data set."""
        return f"{self.root}/splits/{dataset}.tsv"

    def leaks(self, ending: str = "html") -> str:
        """Page (``html``) or table (``tsv``) of subjects with two roles in a fold."""
        return f"{self.root}/splits/audit.{ending}"

    def nnunet(self, number: int | str, dataset: str) -> str:
        """A data set in nnU-Net's raw format, for programs outside."""
        return f"{self.root}/export/nnunet/Dataset{number}_{dataset}"

    def bids(self, dataset: str) -> str:
        """The same as BIDS derivatives."""
        return f"{self.root}/export/bids/{dataset}"

    # Models and what they make.

    def model(self, model: str, fold: int | str, name: str = "model.pt") -> str:
        """A file of a trained model: ``model.pt``, ``about.json`` or ``history.tsv``."""
        return f"{self.root}/models/{model}/fold-{fold}/{name}"

    def reconstruction(self, model: str, fold: int | str, dataset: str) -> str:
        """Pseudo-healthy volumes of a data set."""
        return f"{self.root}/reconstructions/{model}/fold-{fold}/{dataset}/reconstruction.npy"

    def anomaly_map(self, model: str, fold: int | str, dataset: str) -> str:
        """A network's anomaly maps of a data set."""
        return f"{self.root}/scores/{model}/fold-{fold}/{dataset}/anomaly_map.npy"

    def remarks(self, external: str, fold: int | str) -> str:
        """What was noticed about anomaly maps made elsewhere."""
        return f"{self.root}/scores/{external}/fold-{fold}/remarks.txt"

    def metrics(self, row: str, fold: int | str, of: str = "subjects") -> str:
        """Metrics of a row: of test ``subjects``, ``healthy`` ones, all ``pooled``, their
        precision-recall ``curve``, or of healthy ``validation`` subjects."""
        suffix = "" if of == "subjects" else f"_{of}"
        return f"{self.root}/metrics/{row}/fold-{fold}{suffix}.tsv"

    @property
    def planted_lesions(self) -> str:
        """Which lesions were planted into which scans."""
        return self.packed_file("planted", "lesions.tsv")

    def detected(self, row: str, fold: int | str) -> str:
        """What a row sees of every planted lesion."""
        return f"{self.root}/planted/{row}/fold-{fold}.tsv"

    def bundle(self, row: str) -> str:
        """A row's models in one file, to be handed on."""
        return f"{self.root}/bundles/{row}.zip"

    @property
    def shared(self) -> str:
        """A run's numbers in one file, to be compared with another lab's."""
        return f"{self.root}/share.zip"

    # Report.

    def cases(self, row: str) -> str:
        """What figures of example cases show of a row."""
        return f"{self.root}/figures/data/cases/{row}.npz"

    def weights(self, row: str, fold: int | str) -> str:
        """[DICE] of subjects against the weight of a row's residual map."""
        return f"{self.root}/figures/data/weights/{row}/fold-{fold}.tsv"

    def places(self, dataset: str) -> str:
        """Where the lesions of a data set are."""
        return f"{self.root}/figures/data/places/{dataset}.tsv"

    def multiverse(self, row: str, fold: int | str) -> str:
        """Means of a row in each combination of choices of the evaluation."""
        return f"{self.root}/figures/data/multiverse/{row}/fold-{fold}.tsv"

    def calibration(self, row: str, fold: int | str, of: str) -> str:
        """Healthy subjects' ``rates`` above thresholds, and probabilities in ``bins``."""
        return f"{self.root}/figures/data/calibration/{row}/fold-{fold}_{of}.tsv"

    def map_pictures(self, row: str) -> str:
        """Pictures of a row's anomaly maps, for the pages of subjects."""
        return f"{self.root}/figures/data/maps/{row}.zip"

    def row_page(self, row: str) -> str:
        """The page of a row of Table 1."""
        return f"{self.root}/rows/{row}.html"

    def subjects_page(self, test_set: str) -> str:
        """All subjects of a test set on one page."""
        return f"{self.root}/subjects/{test_set}.html"

    def subject_pages(self, test_set: str) -> str:
        """Folder of pages of single subjects of a test set."""
        return f"{self.root}/subjects/{test_set}"

    def figure(self, name: str) -> str:
        """A figure, or a table of the numbers in one."""
        return f"{self.root}/figures/{name}"

    def table(self, name: str) -> str:
        """A table of the report."""
        return f"{self.root}/tables/{name}"

    def method_page(self, method: str) -> str:
        """The page of a method."""
        return f"{self.root}/methods/{method}.html"

    @property
    def methods_text(self) -> str:
        """The captions of the report in one text."""
        return f"{self.root}/methods.md"

    @property
    def provenance(self) -> str:
        """What tells this run from another."""
        return f"{self.root}/provenance.json"

    @property
    def front_page(self) -> str:
        """The whole run on one page."""
        return f"{self.root}/index.html"

    @property
    def answer(self) -> str:
        """The same in a few lines, for the terminal."""
        return f"{self.root}/answer.txt"

    @property
    def crate(self) -> str:
        """The results folder as an RO-Crate."""
        return f"{self.root}/ro-crate-metadata.json"

    @property
    def failed_page(self) -> str:
        """The same of a run that stopped with an error."""
        return f"{self.root}/failed.html"

    @property
    def earlier_page(self) -> str:
        """The front page of an earlier run, after one that stopped with an error."""
        return f"{self.root}/earlier.html"

    # Records of jobs.

    def log(self, job: str) -> str:
        """Log of a job, such as ``pack/ixi``."""
        return f"{self.root}/logs/{job}.log"

    def benchmark(self, job: str) -> str:
        """Time and memory of a job."""
        return f"{self.root}/benchmarks/{job}.tsv"
