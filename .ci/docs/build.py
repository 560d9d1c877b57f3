"""Build the site, `python .ci/docs/build.py [FOLDER]`; a warning is an error.

The pages are README, CHANGELOG, the guide and one page per module or folder with public names.
Sphinx reads a copy of them in a temporary folder, laid out as in the repository: links between the
pages work in a checkout and on the site.
"""

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from enum import EnumType
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

CONFIGURATION = Path(__file__).resolve().parent
ROOT = CONFIGURATION.parents[1]
PACKAGE = "gitlab_jobs_async"
COPIED = (".pictures", "CHANGELOG.md", "LICENSE", "README.md", "benchmarks", PACKAGE)
PACKAGES = (PACKAGE, f"{PACKAGE}.models", f"{PACKAGE}.simulator")
"""The packages with public names; the first that has a name documents it."""
FIRST = ("client", "project")


def contents() -> str:
    """Return the site's table of contents, to be hidden below the README."""
    index = (ROOT / PACKAGE / "guide" / "index.md").read_text(encoding="utf-8")
    guide = ["index", *re.findall(r"^\| \[.*\]\((.+)\.md\)", index, re.MULTILINE)]
    parts = {
        "Guide": [f"{PACKAGE}/guide/{page}" for page in guide],
        "Reference": [f"reference/{page}" for page, _ in reference()],
        "Project": ["CHANGELOG", "benchmarks/README"],
    }
    return "".join(
        "\n".join(("\n```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""))
        for caption, pages in parts.items()
        if pages
    )


def public_names(package: str) -> Iterator[tuple[str, str]]:
    """Yield each public name of *package* with the module that defines it, as its stub has them."""
    stub = Path(str(import_module(package).__file__)).with_suffix(".pyi")
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            home = f"{package}.{node.module}" if node.module else package
            yield from ((alias.name, home) for alias in node.names)


def directive(package: str, name: str, home: str) -> str:
    """Return the directive that documents a public name."""
    value = getattr(import_module(package), name)
    match value:
        case ModuleType():
            return f".. automodule:: {value.__name__}\n"
        case EnumType():
            # Other classes show their fields in the signature.
            return f".. autoclass:: {package}.{name}\n   :undoc-members:\n"
        case type() if issubclass(value, Exception):
            return f".. autoexception:: {package}.{name}\n"
        case type():
            # Bases without a public name, such as those of `Project`, have no page of their own.
            bases = [base for base in value.__mro__[1:] if base.__module__.startswith(PACKAGE)]
            public = {base.__name__ for base in bases} <= {n for n, _ in public_names(package)}
            inherited = "" if public else "   :inherited-members: object\n"
            return f".. autoclass:: {package}.{name}\n{inherited}"
        case FunctionType():
            return f".. autofunction:: {package}.{name}\n"
        case _:
            return f".. autodata:: {home}.{name}\n   :no-value:\n"


def heading(title: str, mark: str) -> str:
    """Return a heading in reStructuredText."""
    return f"{title}\n{mark * len(title)}\n"


def reference() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page of the reference."""
    rooms: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for package in PACKAGES:
        for name, home in public_names(package):
            if f"{home}.{name}" not in PACKAGES:
                room = f"{home}.{name}".split(".")[1]
                rooms[room].setdefault((name, home), directive(package, name, home))
    for room in sorted(rooms, key=lambda room: (room not in FIRST, room)):
        module = import_module(f"{PACKAGE}.{room}")
        directives = sorted(rooms[room].values())
        if directives != [f".. automodule:: {module.__name__}\n"]:
            summary = (module.__doc__ or "").partition("\n")[0]
            directives = [summary, "", f".. py:currentmodule:: {PACKAGE}\n", *directives]
        yield room, "\n".join((heading(room, "="), *directives))


def stage(folder: Path) -> None:
    """Lay out what Sphinx reads: the repository's pages, and those of the reference."""
    for name in COPIED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    with (folder / "README.md").open("a", encoding="utf-8") as readme:
        readme.write(contents())
    (folder / "reference").mkdir()
    for name, text in reference():
        (folder / "reference" / f"{name}.rst").write_text(text, encoding="utf-8")


def main() -> int:
    """Build the site into the folder of the command line, `build/docs` by default."""
    site = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "docs").resolve()
    with tempfile.TemporaryDirectory() as directory:
        stage(Path(directory))
        sphinx = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet", "--fresh-env"]
        sphinx += ["-c", str(CONFIGURATION), "-d", f"{directory}/.doctrees", directory, str(site)]
        if code := subprocess.run(sphinx, check=False).returncode:
            return code
    # A web server looks for this name; README.html stays the target of the pages' links.
    (site / "index.html").write_bytes((site / "README.html").read_bytes())
    print(f"built {site / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
