"""Hold the language of the project: the field's terms, imperative docstrings, short test names."""

import ast
import io
import re
import tokenize
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


FILES = [path for path in sources() if not is_open(path)]
NAMES = [path.relative_to(ROOT).as_posix() for path in FILES]


def prose(text: str) -> list[tuple[int, str]]:
    """Return the comments and strings of a source, each with its line."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    kinds = {tokenize.COMMENT, tokenize.STRING}
    return [(token.start[0], token.string) for token in tokens if token.type in kinds]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_prose_uses_the_terms_of_the_field(path):
    text = path.read_text()
    pieces = prose(text)
    found = [f"{line}: {m[0]!r}" for line, said in pieces for m in _PATTERN.finditer(said)]
    assert found == []


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_docstrings_begin_with_a_verb_or_noun(path):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)]
    docs = [ast.get_docstring(node) or "" for node in nodes]
    assert [doc for doc in docs if CLAUSE_FIRST.match(doc)] == []


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_test_names_are_short(path):
    names = re.findall(r"def (test_\w+)", path.read_text())
    assert [name for name in names if len(name) > _LONGEST_NAME] == []


def test_guide_uses_the_terms_of_the_field():
    pages = [
        ROOT / "README.md",
        ROOT / "benchmarks" / "README.md",
        *(PACKAGE / "guide").glob("*.md"),
    ]
    pages = [page for page in pages if not is_open(page) and page.name != "contributing.md"]
    found = {page.name: [m[0] for m in _PATTERN.finditer(page.read_text())] for page in pages}
    assert not any(found.values()), found
