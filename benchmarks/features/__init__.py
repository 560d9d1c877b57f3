"""Run `gitlab-jobs`, `glab` and python-gitlab's `gitlab` side by side, and compare what they do.

Each row of the comparison is a thing that people do. Each program runs the command for it in a
checkout beside a simulated server of its own, and is judged by exit code, output, requests and
what has become of the server's jobs. For `gh`, `stern` and `k9s`, which cannot talk to GitLab,
the answer is that of their documentation. The variable GLAB names the program of glab 1.53.
"""

import datetime as dt
from collections.abc import Mapping, Sequence

from benchmarks.features import acting, finding, logs, others, views, watching
from benchmarks.features.answers import Answer, Cell, Thing, documented_cell
from benchmarks.features.keystrokes import keystrokes
from benchmarks.features.page import READ, RUN, Table, brief, page
from benchmarks.features.programs import Program, all_programs, judge, version_of
from benchmarks.results import Page, Result, Row, Size

_GROUPS: Mapping[str, Sequence[Thing]] = {
    "find": finding.THINGS,
    "watch on a full screen": views.THINGS,
    "read logs": logs.THINGS,
    "act": acting.THINGS,
    "many projects and programs": watching.THINGS,
    "beside the jobs": others.THINGS,
}

_GUIDE = "gitlab_jobs_async/guide/comparison.md"


def measure(size: Size) -> list[Result]:
    """Compare all things, or as few as a test needs."""
    count = size.pick(None, None, 1)
    tried = all_programs()
    found: Table = {
        title: {thing.name: _cells(thing, tried) for thing in things[:count]}
        for title, things in list(_GROUPS.items())[:count]
    }
    keys = keystrokes(tried, size.pick(None, None, 0))
    return [
        _summary(found),
        Page(_GUIDE, "comparison", page(found, keys, _run(tried))),
        Page("README.md", "comparison", brief(_brief(found))),
    ]


def _cells(thing: Thing, tried: Sequence[Program]) -> dict[str, Cell]:
    print(f"  {thing.name}", flush=True)
    cells = {program.name: judge(program, thing.tries[program.name]) for program in tried}
    for name, documented in thing.documented.items():
        if name in READ or cells[name].answer is Answer.NO:
            cells[name] = documented_cell(documented)
    return cells


def _brief(found: Table) -> dict[str, Mapping[str, Cell]]:
    names = {thing.name for things in _GROUPS.values() for thing in things if thing.brief}
    return {
        name: cells for things in found.values() for name, cells in things.items() if name in names
    }


def _summary(found: Table) -> Row:
    cells = [cells for things in found.values() for cells in things.values()]
    counts = ", ".join(
        f"`{name}` {sum(c[name].answer is Answer.YES for c in cells if name in c)}"
        for name in (*RUN, *READ)
    )
    question = "things that people do in a terminal, done by each program"
    return Row(question, "", f"of {len(cells)}: {counts}", "", None)


def _run(tried: Sequence[Program]) -> str:
    versions = ", ".join(f"{program.name} {version_of(program)}" for program in tried)
    return f"Run on {dt.datetime.now(dt.UTC).date().isoformat()}: {versions}."
