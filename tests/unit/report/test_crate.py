"""The results as an RO-Crate, read by the reference library."""

from datetime import datetime

import pytest
from rocrate.rocrate import ROCrate
from test_front_page import RUN

from uad.base import digests
from uad.base.files import write_json
from uad.base.paths import Paths
from uad.report import crate

AT = datetime(2026, 11, 27, 1, 2, 3)


@pytest.fixture
def read(tmp_path):
    """What the library makes of a folder with some of the files."""
    for name in ("index.html", "provenance.json", "tables/table1.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    run = RUN | {"revision": "abc+", "code": "0123", "datasets": ["ixi", "brats21"]}
    write_json(crate.describe(Paths(str(tmp_path)), run, AT), tmp_path / crate.NAME)
    return ROCrate(str(tmp_path))


def test_the_root_has_what_the_specification_demands(read):
    root = read.root_dataset
    assert read.metadata.properties()["conformsTo"]["@id"] == "https://w3id.org/ro/crate/1.1"
    assert read.name and "simulated T1 scans, folds 0 of 5, seed 7" in root["description"]
    assert root["datePublished"].startswith("2026-11-27")
    assert "ixi, brats21" in root["license"]["description"]


def test_files_are_those_that_are_there(read, tmp_path):
    files = {one.id: one for one in read.data_entities}
    assert set(files) == {"index.html", "provenance.json", "tables/table1.csv"}
    table = files["tables/table1.csv"]
    assert table["sha256"] == digests.sha256(tmp_path / "tables/table1.csv")
    assert table["contentSize"] == str(len("tables/table1.csv"))


def test_what_made_them(read):
    action = read.dereference("#run")
    assert action.type == "CreateAction" and action["endTime"] == AT.isoformat()
    assert action["instrument"]["softwareVersion"] == "abc+, code 0123"
    assert {one.id for one in action["result"]} == {one.id for one in read.data_entities}
    assert "config/config.yaml" in action["name"]


def test_every_reference_leads_somewhere(tmp_path, read):
    known = {entity.id for entity in read.get_entities()}

    def named(value):
        if isinstance(value, dict):
            yield from [value["@id"]] if set(value) == {"@id"} else ()
            for of in value.values():
                yield from named(of)
        elif isinstance(value, list):
            for of in value:
                yield from named(of)

    graph = crate.describe(Paths(str(tmp_path)), RUN | {"revision": "a"}, AT)["@graph"]
    assert set(named(graph)) - known == {crate.PROFILE}
