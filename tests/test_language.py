"""Hold the language of the project: the field's terms, imperative docstrings, short test names."""

import ast
import io
import re
import tokenize
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gitlab_jobs_async"

FORBIDDEN = [
    r"\btold\b", r"\bdoors?\b", r"\blook(s|ed|ing)? at\b",
    r"\b(a|each|every|one|next|two) looks?\b",
    r"\bso many\b", r"\bnot to be had\b", r"\b(is|be|are|was) had\b", r"\bthere no more\b",
    r"\bby that\b", r"\ball the same\b", r"\b(is|are) no (?!longer|more than|less than)\w+",
    r"(?-i:\bis none\b)", r"\blest\b", r"\bbe (they|it)\b", r"\bdear(er)?\b", r"\bhasten",
    r"\bridden\b", r"\bbegun\b", r"\bwhoever\b", r"\bwhom?so", r"\bthereby\b",
    r"\bfor want of\b", r"\btrouble\b",
    r"\bnobody\b", r"\bsomebody\b", r"\btakes? (its|their|his) turns?\b", r"\bturn has come\b",
    r"\breckon", r"\b(has|have|had) come\b", r"\bnone too\b", r"\bis as it (is|was)\b",
]  # fmt: skip
"""Words and phrases that have a better term; `guide/contributing.md` has the glossary."""

CLAUSE_FIRST = re.compile(r"(What|Who|Whoever|Those|That which|He who|Which)\b")
"""A relative clause as the subject of a docstring's first sentence."""

TODO: set[str] = set()
"""Folders of the package, the tests and the benchmarks that are still to be rewritten."""

_PATTERN = re.compile("|".join(FORBIDDEN), re.IGNORECASE)
_LONGEST_NAME = 45


def sources() -> list[Path]:
    folders = (PACKAGE, ROOT / "tests", ROOT / "benchmarks")
    found = [path for folder in folders for path in folder.rglob("*.py")]
    return sorted(path for path in found if path.name != "test_language.py")


def is_open(path: Path) -> bool:
    relative = path.relative_to(ROOT).as_posix()
    return any(relative == place or relative.startswith(f"{place}/") for place in TODO)


FOLDERS: dict[str, list[Path]] = {}
"""The sources by folder; a test for each file would take twice the time."""

for source in sources():
    if not is_open(source):
        FOLDERS.setdefault(source.parent.relative_to(ROOT).as_posix(), []).append(source)


def prose(text: str) -> list[tuple[int, str]]:
    """Return the comments and strings of a source, each with its line."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    kinds = {tokenize.COMMENT, tokenize.STRING}
    return [(token.start[0], token.string) for token in tokens if token.type in kinds]


def findings(folder: str, find: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """Return what *find* finds in the text of each file of a folder, without empty ones."""
    found = {path.name: find(path.read_text()) for path in FOLDERS[folder]}
    return {name: wrong for name, wrong in found.items() if wrong}


@pytest.mark.parametrize("folder", FOLDERS)
def test_prose_uses_the_terms_of_the_field(folder):
    def wrong_words(text):
        said = prose(text)
        return [f"{line}: {m[0]!r}" for line, part in said for m in _PATTERN.finditer(part)]

    assert findings(folder, wrong_words) == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_begin_with_a_verb_or_noun(folder):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module

    def clauses(text):
        nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
        return [doc for doc in map(ast.get_docstring, nodes) if CLAUSE_FIRST.match(doc or "")]

    assert findings(folder, clauses) == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_test_names_are_short(folder):
    def long_names(text):
        names = re.findall(r"def (test_\w+)", text)
        return [name for name in names if len(name) > _LONGEST_NAME]

    assert findings(folder, long_names) == {}


def test_guide_uses_the_terms_of_the_field():
    pages = [
        ROOT / "README.md",
        ROOT / "benchmarks" / "README.md",
        *(PACKAGE / "guide").glob("*.md"),
    ]
    pages = [page for page in pages if not is_open(page) and page.name != "contributing.md"]
    found = {page.name: [m[0] for m in _PATTERN.finditer(page.read_text())] for page in pages}
    assert not any(found.values()), found
