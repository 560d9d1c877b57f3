"""The code blocks of the README and the guide, each with its page and line."""

import re
from pathlib import Path

from attrs import field, frozen

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "gitlab_jobs_async" / "guide"
README = ROOT / "README.md"
PAGES = [README, *sorted(GUIDE.glob("*.md"))]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@frozen
class Block:
    """A fenced block of a page; `line` is that of its opening fence."""

    page: str
    line: int
    language: str
    code: str = field(repr=False)

    @property
    def name(self) -> str:
        """Return a name for it as a test parameter."""
        return f"{self.page}-{self.line}"

    @property
    def is_script(self) -> bool:
        """Tell a complete program from a snippet and a test."""
        return self.language == "python" and "asyncio.run(" in self.code

    @property
    def is_sink(self) -> bool:
        """Tell a script that needs another server."""
        return bool(re.search(r"^(import|from) (nats|redis|aiokafka)\b", self.code, re.M))

    @property
    def is_endless(self) -> bool:
        """Tell a script that serves until it is stopped."""
        return "while True" in self.code or ".monitor(" in self.code

    @property
    def is_test_module(self) -> bool:
        """Tell a pytest module from a snippet and a script."""
        return self.language == "python" and bool(
            re.search(r"^(async )?def test_", self.code, re.M)
        )

    @property
    def is_snippet(self) -> bool:
        """Tell code that runs within `async with GitLab.from_env() as gitlab:`."""
        return self.language == "python" and not self.is_script and not self.is_test_module


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of *page* in order."""
    text = page.read_text()
    return [
        Block(page.stem, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in _BLOCK.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def blocks(language: str) -> list[Block]:
    """Return the blocks of *language* in all pages."""
    return [block for block in BLOCKS if block.language == language]
