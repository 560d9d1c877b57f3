"""Keystrokes from a red pipeline to its failing lines, and on to the retry of the failed job."""

from collections.abc import Sequence

from attrs import frozen

from benchmarks.features.answers import Answer, Outcome, Step, Try
from benchmarks.features.programs import Program, judge
from benchmarks.features.scene import FAILED

HEADS = (
    "with",
    "to the failing lines",
    "keys from the shell",
    "in the open view",
    "to the retry",
    "keys from the shell",
    "in the open view",
    "what a person must know or find",
)
_DOWN, _RIGHT = "\x1b[B", "\x1b[C"
_FAILING = r"12\.49.*12\.50"
_NAMES = {"\r": "Enter", "\t": "Tab", "\x12": "Ctrl-R", _DOWN: "↓", _RIGHT: "→"}


def _is_retried(outcome: Outcome) -> bool:
    return outcome.world.jobs[FAILED].retried


@frozen(kw_only=True)
class Route:
    """One way from a red pipeline: the commands that show its failing lines, and that retry."""

    title: str
    program: str
    lines: Try
    retry: Try
    must_know: str


ROUTES = (
    Route(
        title="`gitlab-jobs`, full screen",
        program="gitlab-jobs",
        lines=Try(words="watch", steps=(Step("contract", "f"), Step("", "\r"), Step(_FAILING))),
        retry=Try(
            words="watch",
            steps=(Step("contract", "f"), Step("", "r"), Step("retr|pending|running")),
            holds=_is_retried,
        ),
        must_know="nothing",
    ),
    Route(
        title="`gitlab-jobs`, commands",
        program="gitlab-jobs",
        lines=Try(words="tail --log-failed", shows=(_FAILING,), hides=("Running with",), code=None),
        retry=Try(words="retry --failed", holds=_is_retried),
        must_know="nothing",
    ),
    Route(
        title="`glab`, full screen",
        program="glab",
        lines=Try(
            words="ci view",
            steps=(Step("contract", f"{_RIGHT}{_RIGHT}{_DOWN}"), Step("", "\r"), Step(_FAILING)),
        ),
        retry=Try(
            words="ci view",
            steps=(
                Step("contract", f"{_RIGHT}{_RIGHT}{_DOWN}"),
                Step("", "\x12"),
                Step("Yes", "\t\r"),
                Step("● contract"),
            ),
            holds=_is_retried,
        ),
        must_know="the place of the job, and of the lines in its log",
    ),
    Route(
        title="`glab`, commands",
        program="glab",
        lines=Try(words="ci trace contract", shows=(_FAILING,)),
        retry=Try(words="ci retry contract", holds=_is_retried),
        must_know="the name of the job, and the place of the lines in its log",
    ),
    Route(
        title="python-gitlab, commands",
        program="gitlab",
        lines=Try(
            words=f"project-job trace --project-id shop/payments --id {FAILED}", shows=(_FAILING,)
        ),
        retry=Try(
            words=f"project-job retry --project-id shop/payments --id {FAILED}", holds=_is_retried
        ),
        must_know="the id of the job, and the place of the lines in its log",
    ),
)
_DOCUMENTED = (
    (
        "`gh`, commands, by its [manual](https://cli.github.com/manual/gh_run_view)",
        "`gh run view --log-failed`, Enter for the newest run, Enter for all jobs",
        "27",
        "",
        "`gh run rerun --failed`, Enter for the newest run",
        "23",
        "",
        "the run, where the newest is not the red one",
    ),
    (
        "GitLab's [pages](https://docs.gitlab.com/ci/jobs/job_logs/)",
        "the project, Pipelines, the pipeline, the job",
        "4 clicks",
        "",
        "Retry on the job's page",
        "1 click more",
        "",
        "the place of the lines in the log",
    ),
)


def keystrokes(tried: Sequence[Program], count: int | None) -> list[Sequence[str]]:
    """Return the heads and the rows of the table, of the first *count* routes."""
    by_name = {program.name: program for program in tried}
    rows = [_row(route, by_name[route.program]) for route in ROUTES[:count]]
    return [HEADS, *rows, *_DOCUMENTED]


def _row(route: Route, program: Program) -> list[str]:
    cells = [route.title]
    for attempt in (route.lines, route.retry):
        answer = judge(program, [attempt]).answer
        if answer is not Answer.YES:
            cells += [answer.value, "", ""]
            continue
        command = f"{route.program} {attempt.words}"
        pressed = [key for step in attempt.steps for key in step.pressed]
        named = " ".join(f"`{_NAMES.get(key, key)}`" for key in pressed)
        shell = len(command) + 1
        cells += [
            f"`{command}`{', ' if named else ''}{named}",
            str(shell + len(pressed)),
            str(len(pressed)) if pressed else "",
        ]
    return [*cells, route.must_know]
