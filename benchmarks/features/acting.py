"""Things people do to change what runs, and to know how it went."""

from benchmarks.features.answers import Outcome, Step, Thing, Try, partly, yes
from benchmarks.features.scene import FAILED, MANUAL, PIPELINE, RUNNING
from gitlab_jobs_async.simulator import Fault

_PROJECT = "--project-id shop/payments"


def _retried(outcome: Outcome) -> bool:
    return outcome.world.jobs[FAILED].retried


def _canceled(outcome: Outcome) -> bool:
    return outcome.world.jobs[RUNNING].status in {"canceling", "canceled"}


def _played(outcome: Outcome) -> bool:
    return outcome.world.jobs[MANUAL].status != "manual"


def _played_with_variable(outcome: Outcome) -> bool:
    return _played(outcome) and any(b"staging" in request.body for request in outcome.requests)


def _created(outcome: Outcome) -> bool:
    return max(outcome.world.pipelines) > PIPELINE + 1


def _created_and_ended(outcome: Outcome) -> bool:
    newest = outcome.world.pipelines[max(outcome.world.pipelines)]
    return (
        _created(outcome)
        and newest.variables == {"LEVEL": "full"}
        and newest.finished_at is not None
    )


def _unpacked(outcome: Outcome) -> bool:
    return any(outcome.folder.rglob("junit.xml"))


def _nothing_outside(outcome: Outcome) -> bool:
    return (
        bool(outcome.requests)
        and outcome.code != 0
        and not any(outcome.folder.parent.rglob("outside.txt"))
    )


THINGS = (
    Thing(
        name="retry a failed job",
        tries={
            "gitlab-jobs": (Try(words="retry contract", holds=_retried),),
            "glab": (Try(words="ci retry contract", holds=_retried),),
            "gitlab": (Try(words=f"project-job retry {_PROJECT} --id {FAILED}", holds=_retried),),
        },
        documented={"gh": yes("gh-run-rerun")},
    ),
    Thing(
        name="retry all failed jobs of a pipeline",
        brief=True,
        tries={
            "gitlab-jobs": (Try(words="retry --failed", holds=_retried),),
            "glab": (
                Try(words=f"ci retry --pipeline-id {PIPELINE}", holds=_retried),
                Try(words="ci retry --help", shows=("failed jobs",)),
            ),
            "gitlab": (
                Try(words=f"project-pipeline retry {_PROJECT} --id {PIPELINE}", holds=_retried),
            ),
        },
        documented={"gh": yes("gh-run-rerun")},
    ),
    Thing(
        name="cancel a pipeline",
        tries={
            "gitlab-jobs": (Try(words="cancel --pipeline latest", holds=_canceled),),
            "glab": (Try(words=f"ci cancel pipeline {PIPELINE}", holds=_canceled),),
            "gitlab": (
                Try(words=f"project-pipeline cancel {_PROJECT} --id {PIPELINE}", holds=_canceled),
            ),
        },
        documented={"gh": yes("gh-run-cancel")},
    ),
    Thing(
        name="start a manual job with variables",
        tries={
            "gitlab-jobs": (
                Try(words="play deploy --variable TARGET=staging", holds=_played_with_variable),
            ),
            "glab": (Try(words="ci trigger deploy", holds=_played, note="It takes no variables."),),
            "gitlab": (
                Try(
                    words=f"project-job play {_PROJECT} --id {MANUAL}",
                    holds=_played,
                    note="It takes no variables.",
                ),
            ),
        },
    ),
    Thing(
        name="start a pipeline with variables, and wait for its result",
        tries={
            "gitlab-jobs": (
                Try(words="run --variable LEVEL=full", holds=_created_and_ended, speed=10),
            ),
            "glab": (
                Try(words="ci run --variables LEVEL:full", holds=_created_and_ended, speed=10),
                Try(
                    words="ci run --variables LEVEL:full", holds=_created, note="It does not wait."
                ),
            ),
            "gitlab": (
                Try(
                    words=f"project-pipeline create {_PROJECT} --ref main",
                    holds=_created,
                    note="It takes no variables and does not wait.",
                ),
            ),
        },
        documented={
            "gh": partly("gh-workflow-run", "`gh workflow run` starts it, `gh run watch` waits.")
        },
    ),
    Thing(
        name="wait for a running pipeline, and end with its result",
        tries={
            "gitlab-jobs": (Try(words="wait", code=1, speed=20),),
            "glab": (
                Try(words="ci status --live", code=1, speed=20),
                Try(
                    words="ci status --live",
                    steps=(Step("unit"), Step("Pipeline state: (failed|success)")),
                    speed=20,
                    note="It waits in a terminal only, and its exit code is 0.",
                ),
            ),
            "gitlab": (Try(words="project-pipeline --help", shows=("wait",)),),
        },
        documented={"gh": yes("gh-run-watch")},
    ),
    Thing(
        name="tell a failed server from a failed job by the exit code",
        tries={
            program: (
                Try(
                    words=words,
                    code=None,
                    holds=lambda outcome: bool(outcome.requests) and outcome.code not in {0, 1},
                    faults=(Fault(status=500, times=None),),
                ),
            )
            for program, words in {
                "gitlab-jobs": "list shop/payments",
                "glab": "ci list",
                "gitlab": f"project-pipeline list {_PROJECT}",
            }.items()
        },
        documented={"gh": partly("gh-exit-codes", "Only a missing sign-in has a code of its own.")},
    ),
    Thing(
        name="unpack the artifacts of a job",
        tries={
            "gitlab-jobs": (
                Try(words="artifacts --ref hostile --job report --unpack out", holds=_unpacked),
                Try(
                    words="artifacts shop/payments --ref hostile --job report --unpack out",
                    holds=_unpacked,
                ),
            ),
            "glab": (Try(words="job artifact hostile report --path out/", holds=_unpacked),),
            "gitlab": (
                Try(words=f"project-job artifacts {_PROJECT} --id 2", holds=_unpacked),
                Try(
                    words=f"project-job artifacts {_PROJECT} --id 2",
                    shows=("junit",),
                    note="It prints the archive.",
                ),
            ),
        },
        documented={"gh": yes("gh-run-download")},
    ),
    Thing(
        name="refuse an archive that would write outside its folder",
        tries={
            "gitlab-jobs": (
                Try(
                    words="artifacts --ref hostile --job hostile --unpack out",
                    code=None,
                    holds=_nothing_outside,
                ),
            ),
            "glab": (
                Try(
                    words="job artifact hostile hostile --path out/",
                    code=None,
                    holds=_nothing_outside,
                ),
            ),
            "gitlab": (Try(words="project-job artifacts --help", shows=("unpack",)),),
        },
        documented={"gh": yes("gh-advisory")},
    ),
)
