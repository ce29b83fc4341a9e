"""Hook of MkDocs: pages of the whole repository at their places, and the library's reference.

MkDocs knows pages of one folder. Here `README.md`, `config/README.md` and others are pages, each
under its path in the repository, and every module of the library has one made of its docstrings.
"""

import ast
import subprocess
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "src"
# What pages link to; the rest of the repository is not part of the site.
SHOWN = ("config", "data", "docs", "envs", "examples", "results", "slurm", "workflow/resources")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """All files of the site."""
    kept = [file for file in files if file.src_dir != config.docs_dir]  # of the theme and plugins
    for name in _tracked():
        if "/" not in name or name.startswith(SHOWN):
            kept.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    pages = dict(_reference())
    index = "# Reference of the library\n\n" + "".join(
        f"- [`{module}`]({module}.md): {summary}\n" for module, (summary, _) in pages.items()
    )
    kept.append(File.generated(config, "reference/index.md", content=index))
    for module, (_, text) in pages.items():
        kept.append(File.generated(config, f"reference/{module}.md", content=text))
    return Files(kept)


def _tracked():
    """Files that git has or would have."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    return sorted(name for name in found if (ROOT / name).is_file())


def _reference():
    """Module, its summary, and the text of its page, for each module with a docstring."""
    for path in sorted(LIBRARY.rglob("*.py")):
        parts = path.relative_to(LIBRARY).with_suffix("").parts
        if parts[-1] == "__main__":
            continue
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if docstring:
            module = ".".join(part for part in parts if part != "__init__")
            yield module, (docstring.splitlines()[0], f"::: {module}\n")
