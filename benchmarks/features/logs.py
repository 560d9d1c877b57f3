"""Things people do with logs."""

from benchmarks.features.answers import Outcome, Step, Thing, Try, partly, yes
from benchmarks.features.scene import FAILED, RUNNING
from gitlab_jobs_async.simulator import Fault

_PRESENT = "It prints the present log once."
_TRACE = f"project-job trace --project-id shop/payments --id {RUNNING}"
_TITLE = "\x1b]0;owned"


def _bytes_once(outcome: Outcome) -> bool:
    job = outcome.world.jobs[RUNNING]
    sent = sum(r.sent for r in outcome.requests if r.path.endswith("/trace"))
    return job.complete and sent <= 1.5 * job.log.size


def _without(word: str) -> tuple[Try, ...]:
    """Try whether the help of glab's command for logs has *word*."""
    return (Try(words="ci trace --help", shows=(word,)),)


def _none(word: str) -> tuple[Try, ...]:
    return (Try(words="project-job trace --help", shows=(word,)),)


THINGS = (
    Thing(
        name="follow a running log to its end",
        brief=True,
        tries={
            "gitlab-jobs": (Try(words="tail unit", shows=("Job succeeded",), speed=20),),
            "glab": (Try(words="ci trace unit", shows=("Job succeeded",), speed=20),),
            "gitlab": (
                Try(words=_TRACE, shows=("Job succeeded",), speed=20),
                Try(words=_TRACE, shows=("Running with",), note=_PRESENT),
            ),
        },
        documented={
            "gh": partly("gh-run-watch", "Steps are followed; logs come when the run has ended."),
            "stern": yes("stern"),
            "k9s": yes("k9s-keys"),
        },
    ),
    Thing(
        name="download the bytes of a followed log once",
        tries={
            "gitlab-jobs": (Try(words="tail unit", holds=_bytes_once, speed=10),),
            "glab": (Try(words="ci trace unit", holds=_bytes_once, speed=10),),
            "gitlab": (Try(words=_TRACE, holds=_bytes_once, speed=10),),
        },
        documented={"stern": yes("stern"), "k9s": yes("k9s-keys")},
    ),
    Thing(
        name="follow on through an outage of the server",
        tries={
            program: (
                Try(
                    words=words,
                    shows=("Job succeeded",),
                    speed=20,
                    faults=(Fault(path="*/trace", status=502, skip=1, times=7),),
                ),
            )
            for program, words in {
                "gitlab-jobs": "tail unit",
                "glab": "ci trace unit",
                "gitlab": _TRACE,
            }.items()
        },
        documented={"stern": yes("stern-tail")},
    ),
    Thing(
        name="end with the job's result as exit code",
        tries={
            "gitlab-jobs": (Try(words="tail contract", shows=("Job failed",), code=1),),
            "glab": (Try(words="ci trace contract", shows=("Job failed",), code=1),),
            "gitlab": (
                Try(words=f"project-job trace --project-id shop/payments --id {FAILED}", code=1),
            ),
        },
        documented={"gh": yes("gh-run-watch")},
    ),
    Thing(
        name="follow several jobs at once",
        tries={
            "gitlab-jobs": (
                Try(
                    words="tail contract unit",
                    shows=("contract", "unit", "Job succeeded"),
                    code=1,
                    speed=20,
                ),
                Try(
                    words="tail shop/payments contract unit",
                    shows=("contract", "unit", "Job succeeded"),
                    code=1,
                    speed=20,
                ),
            ),
            "glab": (
                Try(
                    words="ci trace contract unit", shows=("Job failed", "Job succeeded"), speed=20
                ),
            ),
            "gitlab": (
                Try(
                    words=f"{_TRACE} --id {FAILED}",
                    shows=("Job failed", "Running with.*Running with"),
                ),
            ),
        },
        documented={"stern": yes("stern"), "k9s": yes("k9s-keys")},
    ),
    Thing(
        name="follow jobs that start later, too",
        tries={
            "gitlab-jobs": (
                Try(words="tail --pipeline latest", shows=("unit", "smoke"), code=1, speed=20),
            ),
            "glab": _without("later"),
            "gitlab": _none("later"),
        },
        documented={"stern": yes("stern")},
    ),
    Thing(
        name="select jobs by a pattern, and leave some out",
        brief=True,
        tries={
            "gitlab-jobs": (
                Try(
                    words="tail --pipeline latest --jobs '^[cu]' --exclude contract --no-follow",
                    shows=("unit",),
                    hides=("contract",),
                    code=None,
                ),
            ),
            "glab": _without("exclude"),
            "gitlab": _none("exclude"),
        },
        documented={"stern": yes("stern"), "k9s": yes("k9s-keys")},
    ),
    Thing(
        name="mark words in a followed log",
        tries={
            "gitlab-jobs": (
                Try(words="tail contract --highlight runner", steps=(Step("Job failed"),)),
            ),
            "glab": _without("highlight"),
            "gitlab": _none("highlight"),
        },
        documented={"stern": yes("stern")},
    ),
    Thing(
        name="print lines by a template",
        tries={
            "gitlab-jobs": (
                Try(
                    words="tail contract --no-follow --template '<{job}> {line}'",
                    shows=(r"<contract> .*Running with",),
                    code=None,
                ),
            ),
            "glab": _without("template"),
            "gitlab": _none("template"),
        },
        documented={"stern": yes("stern-templates")},
    ),
    Thing(
        name="print only the lines of the last minutes",
        tries={
            "gitlab-jobs": (
                Try(
                    words="tail unit --since 1m --no-follow",
                    hides=("Running with",),
                    shows=("tests/",),
                    code=None,
                ),
            ),
            "glab": _without("since"),
            "gitlab": _none("since"),
        },
        documented={"stern": yes("stern"), "k9s": yes("k9s-keys")},
    ),
    Thing(
        name="print only the failing part of a log",
        brief=True,
        tries={
            "gitlab-jobs": (
                Try(
                    words="tail contract --log-failed",
                    shows=("Decimal",),
                    hides=("Running with",),
                    code=1,
                ),
            ),
            "glab": _without("failed"),
            "gitlab": _none("failed"),
        },
        documented={"gh": yes("gh-run-view")},
    ),
    Thing(
        name="keep a log's control sequences from the terminal",
        tries={
            "gitlab-jobs": (
                Try(words="trace shop/payments 1", steps=(Step("another line"),), hides=(_TITLE,)),
            ),
            "glab": (Try(words="ci trace 1", steps=(Step("another line"),), hides=(_TITLE,)),),
            "gitlab": (
                Try(
                    words="project-job trace --project-id shop/payments --id 1",
                    steps=(Step("another line"),),
                    hides=(_TITLE,),
                ),
            ),
        },
    ),
)
