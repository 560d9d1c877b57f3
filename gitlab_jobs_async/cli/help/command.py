"""A command in the help: its name, its text, its examples, and where its function is."""

from attrs import frozen

Example = tuple[str, str]
"""The purpose of an example, and its command line."""


@frozen
class Command:
    """A command of `gitlab-jobs`."""

    name: str
    function: str
    """`module:function` below `gitlab_jobs_async.cli`, imported when the command is called."""

    text: str
    usage: str | None = None
    """The first line, where the one that cyclopts makes is not true."""

    examples: tuple[Example, ...] = ()
    """At least two; a test runs them against the demo world of the simulator."""

    @property
    def description(self) -> str:
        """The text with one line a paragraph, for a terminal of any width."""
        return one_line_a_paragraph(self.text)

    @property
    def epilogue(self) -> str:
        """The examples, which follow the options: a terminal shows the end of a long text."""
        lines = [f"  # {purpose}\n  {line}\n" for purpose, line in self.examples]
        return "Examples:\n" + "".join(lines)


def one_line_a_paragraph(text: str) -> str:
    """Return *text* with one line a paragraph; indented lines stay as they are."""
    paragraphs = text.strip("\n").split("\n\n")
    return "\n\n".join(
        paragraph if paragraph.startswith(" ") else " ".join(paragraph.split())
        for paragraph in paragraphs
    )
