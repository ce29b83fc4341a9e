"""Generated parts of the documentation: keys of the configuration, departures, columns."""

from pathlib import Path

import yaml

from uad.plan.config import check
from uad.report import departures


def markdown_table(schema):
    """All keys of a schema with their descriptions, as a Markdown table."""
    lines = ["| Key | Meaning |", "| --- | --- |"]
    seen = {}

    def visit(node, path):
        reference = node.get("$ref")
        if reference:
            target = schema["$defs"][reference.rsplit("/", 1)[1]]
            if "properties" in target and reference in seen:
                lines.append(f"| `{path}.*` | as `{seen[reference]}.*` |")
                return
            seen[reference] = path
            node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
        if "anyOf" in node:
            block = next(option for option in node["anyOf"] if "$ref" in option)
            lines.append(f"| `{path}` | {node['description']} |")
            visit(block, path)
            return
        if path and "description" in node:
            lines.append(f"| `{path}` | {node['description']} |")
        for key, child in node.get("properties", {}).items():
            visit(child, f"{path}.{key}" if path else key)
        if isinstance(node.get("additionalProperties"), dict):
            visit(node["additionalProperties"], f"{path}.*")

    visit(schema, "")
    return "\n".join(lines)


def update_readme(readme, schema_path, config_path):
    """Replace what stands between the markers of `config/README.md`: departures and keys."""

    config = yaml.safe_load(Path(config_path).read_text(encoding="utf-8"))
    check(config, schema_path)
    tables = {
        "departures": departures.markdown(config),
        "keys": markdown_table(yaml.safe_load(Path(schema_path).read_text(encoding="utf-8"))),
    }
    fill_in(readme, tables)


def update_metrics_page(page, schema_path):
    """Replace what stands between the markers of `docs/metrics.md`: the columns of the metrics."""
    tables = {}
    schema = yaml.safe_load(Path(schema_path).read_text(encoding="utf-8"))
    for name, node in schema["$defs"].items():
        if "properties" in node:
            columns = [f"| `{k}` | {v['description']} |" for k, v in node["properties"].items()]
            heading = [node["title"], "", "| Column | Meaning |", "| --- | --- |"]
            tables[name] = "\n".join([*heading, *columns])
    fill_in(page, tables)


def fill_in(page, tables):
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
    update_readme(
        Path("config/README.md"), "workflow/schemas/config.schema.yaml", "config/config.yaml"
    )
