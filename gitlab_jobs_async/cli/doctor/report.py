"""The report of a checked server as JSON, as plain lines and as a table."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.doctor.check import Check, Verdict
from gitlab_jobs_async.cli.doctor.findings import Findings
from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.cli.views.tables import empty_table
from gitlab_jobs_async.version import __version__

_STYLES: Final = {
    Verdict.EXPECTED: "green",
    Verdict.DIFFERS: "yellow",
    Verdict.UNKNOWN: "bright_black",
}
_HARMFUL: Final = "bold red"
_INDENT: Final = (0, 0, 0, 2)
Names = dict[str, str]


def names_of(findings: Findings, url: str) -> Names:
    """Return the names that a report has only on request: server, user, project, group."""
    project = findings.named_project or findings.project
    paths = [
        row.get("path_with_namespace")
        for row in findings.reply("projects").rows
        if row.get("id") == findings.project
    ]
    named = {
        "server": url,
        "user": findings.reply("user").get("username"),
        "project": paths[0] if paths else project,
        "group": findings.named_group,
    }
    return {name: str(value) for name, value in named.items() if value is not None}


def as_json(findings: Findings, checks: Iterable[Check], names: Names) -> dict[str, object]:
    """Return the report as one JSON object; `names` is absent without any."""
    report: dict[str, object] = {
        "client": __version__,
        "version": findings.version or None,
        "requests": findings.requests,
        "checks": [
            {
                "check": check.name,
                "asked": check.asked,
                "expected": check.expected,
                "seen": check.seen,
                "verdict": str(check.verdict),
                "harmful": check.is_harmful,
                "consequence": check.consequence or None,
            }
            for check in checks
        ],
    }
    return report | ({"names": names} if names else {})


def plain_rows(checks: Iterable[Check], names: Names) -> list[list[str]]:
    """Return a row for each name, then for each check: name, verdict, expected, seen, consequence.

    The row of a name has no verdict.
    """
    rows = [[name, "", "", value, ""] for name, value in names.items()]
    return rows + [
        [check.name, str(check.verdict), check.expected, check.seen, check.consequence]
        for check in checks
    ]


def as_table(findings: Findings, checks: Sequence[Check], names: Names) -> RenderableType:
    """Return the report for a person: a table, then the consequences."""
    table = empty_table()
    table.add_column("check", no_wrap=True)
    table.add_column("expected", overflow="fold")
    table.add_column("seen", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for check in checks:
        style = _HARMFUL if check.is_harmful else _STYLES[check.verdict]
        words = [Text(check.name), Text(check.expected), Text(check.seen)]
        table.add_row(*words, Text(check.verdict, style=style))
    parts: list[RenderableType] = [*_heading(findings, names), table]
    for title, chosen in _remarks(checks):
        lines = [Text(f"{check.name}: {check.consequence}") for check in chosen]
        if lines:
            # Padding indents the second line of a long remark, too.
            parts += [Text(f"\n{title}:", style="bold"), *(Padding(one, _INDENT) for one in lines)]
    return Group(*parts)


def _heading(findings: Findings, names: Names) -> list[Text]:
    server = f"GitLab {findings.version}" if findings.version else "GitLab of unknown version"
    lines = [f"{server}, {counted(findings.requests, 'request')} by gitlab-jobs {__version__}"]
    lines += [f"{name}: {clean(value)}" for name, value in names.items()]
    lines += ["In parentheses: the first release of GitLab with that answer.", ""]
    return [Text(line) for line in lines]


def _remarks(checks: Sequence[Check]) -> list[tuple[str, list[Check]]]:
    """Return the checks that have a consequence, by the weight of their verdict."""
    said = [check for check in checks if check.consequence]
    differing = [check for check in said if check.verdict is Verdict.DIFFERS]
    return [
        ("Differs, and the client relies on it", [one for one in differing if one.is_harmful]),
        ("Differs", [one for one in differing if not one.is_harmful]),
        ("Unknown", [one for one in said if one.verdict is Verdict.UNKNOWN]),
        ("Remarks", [one for one in said if one.verdict is Verdict.EXPECTED]),
    ]
