"""Sphinx's configuration for the site: guide pages in Markdown, the reference from docstrings."""

import importlib.metadata
from typing import Any

from sphinx.application import Sphinx

project = "gitlab_jobs_async"
author = "the maintainers of gitlab_jobs_async"
release = version = importlib.metadata.version(project)

root_doc = "README"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = [
    "*.md",
    "benchmarks/README.md",
    "gitlab_jobs_async/guide/*.md",
    "reference/*.rst",
]

# Docstrings put code in single backticks; what names something of the reference becomes a link.
default_role = "py:obj"
add_module_names = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"

myst_heading_anchors = 3

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False


def setup(app: Sphinx) -> None:
    """Keep napoleon from reading "Whether it is active: ..." of an attribute as a type."""
    originals: dict[str, list[str]] = {}

    def save(_: Sphinx, what: str, name: str, *rest: Any) -> None:
        if what in {"attribute", "data", "property"}:
            originals[name] = [*rest[-1]]

    def restore(_: Sphinx, __: str, name: str, *rest: Any) -> None:
        if name in originals:
            rest[-1][:] = originals.pop(name)

    # Napoleon's own handler has the priority 500.
    app.connect("autodoc-process-docstring", save, priority=400)
    app.connect("autodoc-process-docstring", restore, priority=600)
