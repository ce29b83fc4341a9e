"""Generated parts of the documentation: keys of the configuration, departures, columns."""

import copy
import json
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml
from pydantic import TypeAdapter

from uad.base import digests, modules
from uad.data import datasets
from uad.models import methods
from uad.plan import schema
from uad.plan.config import check
from uad.plan.overlays import with_defaults
from uad.report import departures

# Of what stands in the schema for editors; the rest is of no use there, or would be wrong in an
# overlay, where every key may be missing.
EDITOR_KEYS = ("title", "required", "unit", "source", "test_time", "default")


def key_table(config: dict) -> str:
    """All keys with meaning, unit, value in a configuration and its source, as Markdown."""
    lines = ["| Key | Meaning | Unit | Value | Source |", "| --- | --- | --- | --- | --- |"]
    # Blocks that stand in several places are explained once: where, and with which values.
    seen: dict[type, tuple[str, dict]] = {}

    def row(
        path: str,
        meaning: str,
        unit: str | None = None,
        value: str = "",
        source: str | None = None,
    ) -> None:
        cells = (f"`{path}`", meaning, unit or "", value, source or "")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")

    def block(cls: type, path: str, values: dict, leave_out: Collection[str] = ()) -> None:
        if cls in seen:
            first, known = seen[cls]
            changes = {key: v for key, v in values.items() if known.get(key) != v}
            row(f"{path}.*", f"as `{first}.*`", value=_shown(changes))
            return
        seen[cls] = path, values
        types = get_type_hints(cls)
        for field in fields(cls):
            if field.name in leave_out:
                continue
            place = f"{path}.{field.name}" if path else field.name
            of_block, by_name = _block_in(types[field.name])
            about, more = field.metadata["description"], field.metadata["json_schema_extra"]
            value = values.get(field.name)
            known = field.name in values and (of_block is None or value is None)
            known = known and not by_name and place not in ("methods", "datasets")
            row(place, about, more["unit"], _shown(value) if known else "", more["source"])
            if of_block is not None:
                block(of_block, f"{place}.<name>" if by_name else place, value or {})
            if cls is schema.Config and field.name == "splits":
                block(schema.Split, "splits.<data set>", {})
            if cls is schema.Config and field.name == "datasets":
                all_datasets()
            if cls is schema.Config and field.name == "methods":
                all_methods(value)

    def all_datasets() -> None:
        block(schema.DataSet, "datasets.<name>", {})
        common = [field.name for field in fields(schema.OwnDataSet)]
        shared = {field.name for field in fields(schema.DataSet)} - {"brain_mask"}
        block(schema.OwnDataSet, "datasets.<own>", {}, leave_out=shared)
        row("datasets.<own>.*", f"{', '.join(f'`{n}`' for n in common if n in shared)}: as above")
        for layout, cls in schema.OWN.items():
            row("datasets.<own>.layout", f"`{layout}`")
            block(cls, "datasets.<own>", {}, leave_out=[*common, "layout"])

    def all_methods(blocks: Mapping[str, dict]) -> None:
        block(schema.Method, "methods.<name>", {})
        common = [field.name for field in fields(schema.Method)]
        for name, values in blocks.items():
            title, *_ = digests.docstring(f"uad.models.methods.{name}").partition(".\n")
            changes = {key: values[key] for key in common if values.get(key)}
            row(f"methods.{name}", " ".join(title.split()), value=_shown(changes))
            block(schema.of_method(name), f"methods.{name}", values, leave_out=common)

    block(schema.Config, "", config)
    return "\n".join(lines)


def _block_in(kind: Any) -> tuple[type | None, bool]:
    """The block that a type holds, if any, and whether it holds several by name."""
    for option in (kind, *get_args(kind)):
        if is_dataclass(option):
            return option, get_origin(kind) is dict
    return None, False


def _shown(value: Any) -> str:
    """A value as it is written in the configuration, in one line; nothing for an empty block."""
    if value == {}:
        return ""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6)
    text = text.removesuffix("...\n").strip()
    return f"`{text[1:-1] if isinstance(value, dict) else text}`"


def editor_schema() -> dict:
    """JSON schema of a configuration or an overlay: names, types, bounds and meanings."""
    known = methods.built_in()
    classes = {"": schema.Config, "split": schema.Split}
    classes |= {name: schema.of_method(name) for name in known}
    classes["a method elsewhere"] = schema.Method
    classes |= {"data set": schema.DataSet, **{f"layout {n}": c for n, c in schema.OWN.items()}}
    found, definitions = TypeAdapter.json_schemas(
        [(name, "validation", TypeAdapter(cls)) for name, cls in classes.items()],
        ref_template="#/$defs/{model}",
    )
    definitions = definitions["$defs"]
    blocks = {name: found[name, "validation"] for name in classes}
    top = definitions.pop(blocks[""]["$ref"].rpartition("/")[2])
    own = [blocks.pop(f"layout {name}") for name in schema.OWN]
    known_sets = dict.fromkeys(modules.names(datasets.__path__), blocks.pop("data set"))
    definitions["Splits"]["properties"] |= dict.fromkeys(known_sets, blocks["split"])
    definitions["Splits"]["additionalProperties"] = blocks["split"]
    top["properties"]["datasets"] |= {
        "properties": known_sets,
        "additionalProperties": {"anyOf": own},
    }
    # Of a method elsewhere only the keys that every method has are known.
    elsewhere = blocks.pop("a method elsewhere")["$ref"].rpartition("/")[2]
    definitions[elsewhere]["additionalProperties"] = True
    top["properties"]["methods"] |= {
        "properties": {name: blocks[name] for name in known},
        "additionalProperties": {"$ref": f"#/$defs/{elsewhere}"},
    }
    top = _for_editors(top)
    # A name that is none of the project's is a slip, unless code or layout are named.
    top["properties"]["methods"]["additionalProperties"]["required"] = ["code"]
    top["properties"]["datasets"]["additionalProperties"]["required"] = ["layout"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of the workflow, or an overlay",
        "$comment": "Made by `make docs` from the classes beside the code; do not edit.",
        **top,
        "$defs": _for_editors(definitions),
    }


def _for_editors(node: Any) -> Any:
    if isinstance(node, list):
        return [_for_editors(child) for child in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("description"), str):
        more = "; ".join(filter(None, (node.get("unit"), node.get("source"))))
        node = {**node, "description": node["description"] + (f" ({more})" if more else "")}
        node = {key: value for key, value in node.items() if key not in EDITOR_KEYS}
    return {key: _for_editors(child) for key, child in node.items()}


def update_readme(readme: Path, config_path: Path) -> None:
    """Replace what stands between the markers of `config/README.md`: departures and keys."""
    written = yaml.safe_load(config_path.read_text(encoding="utf-8"))
    checked = copy.deepcopy(written)
    check(checked)
    fill_in(readme, {"departures": departures.markdown(checked), "keys": key_table(written)})


def update_parity_page(page: Path, folder: Path) -> None:
    """Replace what stands between the markers of `docs/parity.md`: configurations compared."""
    configs = {}
    for name in ("config.yaml", "released.yaml"):
        config = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
        with_defaults(config, folder / "config.yaml")
        check(config)
        configs[name] = config
    fill_in(page, {"configurations": departures.configurations(configs)})


def write_schema(path: Path) -> None:
    """Write the JSON schema for editors."""
    path.write_text(json.dumps(editor_schema(), indent=1) + "\n", encoding="utf-8")


def update_metrics_page(page: Path, schema_path: str | Path) -> None:
    """Replace what stands between the markers of `docs/metrics.md`: the columns of the metrics."""
    tables = {}
    schema = yaml.safe_load(Path(schema_path).read_text(encoding="utf-8"))
    for name, node in schema["$defs"].items():
        if "properties" in node:
            columns = [f"| `{k}` | {v['description']} |" for k, v in node["properties"].items()]
            heading = [node["title"], "", "| Column | Meaning |", "| --- | --- |"]
            tables[name] = "\n".join([*heading, *columns])
    fill_in(page, tables)


def fill_in(page: Path, tables: dict[str, str]) -> None:
    """Put tables between the markers of a page that bear their names."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = f"{head}{begin}{table}\n{end}{tail}"
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    update_metrics_page(Path("docs/metrics.md"), "workflow/schemas/metrics.schema.yaml")
    update_readme(Path("config/README.md"), Path("config/config.yaml"))
    update_parity_page(Path("docs/parity.md"), Path("config"))
    write_schema(Path("workflow/schemas/config.schema.json"))
