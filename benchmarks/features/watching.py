"""Things people do to watch many projects, and to hand results to programs."""

import json

from benchmarks.features.answers import Outcome, Step, Thing, Try, yes
from benchmarks.features.scene import FAILED
from gitlab_jobs_async.simulator import Fault

_PROJECT = "--project-id shop/payments"
_CI = "ci --help"
_RESOURCES = "--help"


def _is_json(outcome: Outcome) -> bool:
    try:
        return bool([json.loads(line) for line in outcome.text.splitlines()])
    except ValueError:
        return False


def _waited(outcome: Outcome) -> bool:
    return [request.status for request in outcome.requests].count(429) == 1


def _notified(outcome: Outcome) -> bool:
    return (outcome.folder / "event").exists()


def _reader() -> str:
    return "python3 -c \"import pathlib,sys; pathlib.Path('event').write_text(sys.stdin.read())\""


def _limited(words: str) -> Try:
    fault = Fault(status=429, headers={"Retry-After": "1"})
    return Try(words=words, holds=_waited, faults=(fault,))


def _not_offered(word: str) -> dict[str, tuple[Try, ...]]:
    """Try whether the help of the peers has *word*."""
    return {
        "glab": (Try(words=_CI, shows=(word,)),),
        "gitlab": (Try(words=_RESOURCES, shows=(word,)),),
    }


THINGS = (
    Thing(
        name="see several projects at once",
        brief=True,
        tries={
            "gitlab-jobs": (
                Try(words="list shop/payments shop/checkout", shows=("contract", "stuck")),
            ),
            "glab": (
                Try(
                    words="ci list -R shop/payments -R shop/checkout",
                    shows=("payments", "checkout"),
                ),
            ),
            "gitlab": (
                Try(
                    words="project-job list --project-id shop/payments,shop/checkout",
                    shows=("7", "12"),
                ),
            ),
        },
        documented={"stern": yes("stern"), "k9s": yes("k9s-keys")},
    ),
    Thing(
        name="watch all projects of a group",
        tries={
            "gitlab-jobs": (
                Try(
                    words="watch --group shop",
                    until="shop/checkout[^\n]*\n(?:.*\n)*.*shop/payments|shop/payments[^\n]*\n(?:.*\n)*.*shop/checkout",
                ),
            ),
            **_not_offered("group"),
            "gitlab": (Try(words="group-project --help", shows=("job",)),),
        },
    ),
    Thing(
        name="draw a pipeline as a waterfall with its critical path",
        brief=True,
        tries={
            "gitlab-jobs": (Try(words="timeline", shows=("contract", "unit"), code=None),),
            **_not_offered("timeline|waterfall"),
        },
    ),
    Thing(
        name="list what failed lately, with flaky jobs marked",
        tries={
            "gitlab-jobs": (Try(words="failures", shows=("contract", "flaky"), code=None),),
            **_not_offered("flaky"),
        },
    ),
    Thing(
        name="print JSON",
        tries={
            "gitlab-jobs": (Try(words="list --json", holds=_is_json),),
            "glab": (Try(words="ci list --output json", holds=_is_json),),
            "gitlab": (
                Try(words=f"--output json project-job list {_PROJECT} --get-all", holds=_is_json),
            ),
        },
        documented={"gh": yes("gh-run-list"), "stern": yes("stern-templates")},
    ),
    Thing(
        name="choose the columns",
        tries={
            "gitlab-jobs": (
                Try(words="list --columns id,name", shows=(r"7\s+contract",), hides=("failed",)),
            ),
            "glab": (Try(words="ci list --help", shows=("columns",)),),
            "gitlab": (
                Try(
                    words=f"--output yaml --fields id,name project-job list {_PROJECT} --get-all",
                    shows=("name: contract",),
                    hides=("status",),
                ),
            ),
        },
        documented={
            "gh": yes("gh-formatting"),
            "stern": yes("stern-templates"),
            "k9s": yes("k9s-views"),
        },
    ),
    Thing(
        name="show long output in a pager",
        tries={
            "gitlab-jobs": (
                Try(
                    words="trace contract",
                    steps=(Step("PAGED"),),
                    variables={"PAGER": "sed s/^/PAGED:/"},
                ),
            ),
            "glab": (
                Try(
                    words="ci trace contract",
                    steps=(Step("PAGED"),),
                    variables={"PAGER": "sed s/^/PAGED:/"},
                ),
            ),
            "gitlab": (
                Try(
                    words=f"project-job trace {_PROJECT} --id {FAILED}",
                    steps=(Step("PAGED"),),
                    variables={"PAGER": "sed s/^/PAGED:/"},
                ),
            ),
        },
        documented={"gh": yes("gh-environment")},
    ),
    Thing(
        name="run a program for each event",
        tries={
            "gitlab-jobs": (
                Try(
                    words=f"watch shop/payments --exec {json.dumps(_reader())}",
                    until="smoke.*success",
                    holds=_notified,
                    speed=20,
                ),
            ),
            **_not_offered("exec"),
        },
    ),
    Thing(
        name="continue after a restart without losing an event",
        brief=True,
        tries={
            "gitlab-jobs": (
                Try(
                    words="watch shop/payments --checkpoint ci.db",
                    until="unit.*success",
                    speed=20,
                    holds=lambda outcome: (outcome.folder / "ci.db").exists(),
                ),
            ),
            **_not_offered("checkpoint"),
        },
    ),
    Thing(
        name="serve metrics to Prometheus",
        tries={
            "gitlab-jobs": (
                Try(words="exporter shop/payments --listen 127.0.0.1:0", until="metrics"),
            ),
            **_not_offered("[Pp]rometheus"),
        },
    ),
    Thing(
        name="wait when the server limits requests, and go on",
        tries={
            "gitlab-jobs": (_limited("list"),),
            "glab": (_limited("ci list"),),
            "gitlab": (_limited(f"project-job list {_PROJECT}"),),
        },
    ),
    Thing(
        name="set a limit of one's own for requests",
        tries={
            "gitlab-jobs": (
                Try(words="watch shop/payments --per-minute 60", until="unit.*success", speed=20),
            ),
            **_not_offered("per-minute"),
        },
        documented={"stern": yes("stern")},
    ),
)
