"""What archives read of the project: CITATION.cff and .zenodo.json say the same."""

import json
import tomllib

import yaml
from conftest import ROOT


def test_both_say_the_same():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    zenodo = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert zenodo["title"] == cited["title"]
    assert zenodo["upload_type"] == cited["type"] == "software"
    assert zenodo["license"] == cited["license"] == project["license"]
    assert zenodo["creators"] == cited["authors"]
    assert zenodo["keywords"] == cited["keywords"]
    named = {work["doi"] for work in cited["references"] if "doi" in work}
    named |= {i["value"] for work in cited["references"] for i in work.get("identifiers", [])}
    assert {work["identifier"] for work in zenodo["related_identifiers"]} == named
    # What Zenodo refuses to do without.
    assert len(zenodo["description"]) > 40 and all(author["name"] for author in zenodo["creators"])
