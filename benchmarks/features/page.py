"""The part of the guide's page that holds the results, as Markdown."""

from collections.abc import Iterator, Mapping, Sequence

from attrs import define, field

from benchmarks.features.answers import Answer, Cell

RUN = ("gitlab-jobs", "glab", "gitlab")
READ = ("gh", "stern", "k9s")
_HEADS = {"gitlab": "python-gitlab"}
_REQUESTS = """\
Requests that each command sent, where at least two programs did the thing. Commands that follow or
wait did so for about five seconds."""
_KEYSTROKES = """\
Keys until the failing lines of the red pipeline's job are shown, and until the job is retried. From
the shell, each letter of the command counts, and Enter."""

PAGES: Mapping[str, str] = {
    "gh": "https://cli.github.com/manual/gh",
    "gh-advisory": "https://github.com/cli/cli/security/advisories/GHSA-2m9h-r57g-45pj",
    "gh-alias": "https://cli.github.com/manual/gh_alias",
    "gh-api": "https://cli.github.com/manual/gh_api",
    "gh-completion": "https://cli.github.com/manual/gh_completion",
    "gh-config": "https://cli.github.com/manual/gh_config",
    "gh-environment": "https://cli.github.com/manual/gh_help_environment",
    "gh-exit-codes": "https://cli.github.com/manual/gh_help_exit-codes",
    "gh-extension": "https://cli.github.com/manual/gh_extension",
    "gh-formatting": "https://cli.github.com/manual/gh_help_formatting",
    "gh-pr": "https://cli.github.com/manual/gh_pr",
    "gh-pr-checks": "https://cli.github.com/manual/gh_pr_checks",
    "gh-run-cancel": "https://cli.github.com/manual/gh_run_cancel",
    "gh-run-delete": "https://cli.github.com/manual/gh_run_delete",
    "gh-run-download": "https://cli.github.com/manual/gh_run_download",
    "gh-run-list": "https://cli.github.com/manual/gh_run_list",
    "gh-run-rerun": "https://cli.github.com/manual/gh_run_rerun",
    "gh-run-view": "https://cli.github.com/manual/gh_run_view",
    "gh-run-watch": "https://cli.github.com/manual/gh_run_watch",
    "gh-workflow-run": "https://cli.github.com/manual/gh_workflow_run",
    "k9s-aliases": "https://github.com/derailed/k9s#command-aliases",
    "k9s-config": "https://github.com/derailed/k9s#k9s-configuration",
    "k9s-keys": "https://github.com/derailed/k9s#key-bindings",
    "k9s-plugins": "https://github.com/derailed/k9s#plugins",
    "k9s-views": "https://github.com/derailed/k9s#custom-views",
    "python-gitlab-completion": "https://python-gitlab.readthedocs.io/en/stable/cli-usage.html",
    "stern": "https://github.com/stern/stern#usage",
    "stern-completion": "https://github.com/stern/stern#completion",
    "stern-tail": "https://github.com/stern/stern/blob/master/stern/stern.go",
    "stern-templates": "https://github.com/stern/stern#templates",
}
"""The pages that document a program, by the name with which a cell refers to them."""


@define
class _Notes:
    """Notes below the table, numbered in the order of their first use."""

    texts: list[str] = field(factory=list[str])

    def number(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


Table = Mapping[str, Mapping[str, Mapping[str, Cell]]]
"""The cells of each program for each thing, by the title of its group."""


def page(found: Table, keys: Sequence[Sequence[str]], run: str) -> str:
    """Return the part of the guide: answers with notes, requests, and keystrokes."""
    notes = _Notes()
    answers = [
        "\n".join(table([title, *_heads(RUN + READ)], _answers(things, notes)))
        for title, things in found.items()
    ]
    parts = [
        run,
        *answers,
        "\n".join(f"{number}. {text}" for number, text in enumerate(notes.texts, 1)),
        "## Requests",
        _REQUESTS,
        "\n".join(table(["", *_heads(RUN)], _requests(found))),
        "## Keystrokes",
        _KEYSTROKES,
        "\n".join(table(keys[0], keys[1:])),
    ]
    return "\n\n".join(part for part in parts if part)


def brief(things: Mapping[str, Mapping[str, Cell]]) -> str:
    """Return the table of the README, which has neither notes nor links."""
    rows = [
        [name, *(cells[who].answer.value if who in cells else "no" for who in RUN + READ)]
        for name, cells in things.items()
    ]
    return "\n".join(table(["", *_heads(RUN + READ)], rows))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    for cells in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _heads(programs: Sequence[str]) -> list[str]:
    return [_HEADS.get(who, who) for who in programs]


def _answers(things: Mapping[str, Mapping[str, Cell]], notes: _Notes) -> list[list[str]]:
    return [
        [name, *(_shown(cells.get(who), notes) for who in RUN + READ)]
        for name, cells in things.items()
    ]


def _shown(cell: Cell | None, notes: _Notes) -> str:
    if cell is None:
        return Answer.NO.value
    word = cell.answer.value
    if cell.answer is Answer.YES:
        word = f"**{word}**"
    if cell.page:
        word = f"[{word}]({PAGES[cell.page]})"
    return f"{word} ({notes.number(cell.note)})" if cell.note else word


def _requests(found: Table) -> list[list[str]]:
    rows = []
    for things in found.values():
        for name, cells in things.items():
            sent = {who: cells[who] for who in RUN if who in cells and cells[who].requests}
            if len(sent) > 1:
                rows.append([name, *(_sent(sent.get(who)) for who in RUN)])
    return rows


def _sent(cell: Cell | None) -> str:
    return "" if cell is None else f"{cell.requests}: `{cell.words.replace('{url}', 'URL')}`"
