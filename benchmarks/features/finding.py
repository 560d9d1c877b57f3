"""Things people do to find pipelines and jobs, and to watch them."""

from benchmarks.features.answers import NO, Thing, Try, partly, yes
from benchmarks.features.scene import FAILED, PIPELINE

_COMMANDS_ONLY = "Commands and options are completed, not names."
_PROJECT = "--project-id shop/payments"
_LATEST = f"project-pipeline get {_PROJECT} --id latest"


def job_url(kind: str = "jobs", number: int = FAILED) -> str:
    """Return the address of a page as a browser shows it; {url} stands for the server's."""
    return f"{{url}}/shop/payments/-/{kind}/{number}"


THINGS = (
    Thing(
        name="take the project from the git checkout",
        tries={
            "gitlab-jobs": (Try(words="list", shows=("contract",)),),
            "glab": (Try(words="ci list", shows=(rf"#{PIPELINE}\b",)),),
            "gitlab": (Try(words="project-job list", shows=("contract",)),),
        },
        documented={"gh": yes("gh-run-list")},
    ),
    Thing(
        name="show the newest pipeline of the current branch, with its jobs",
        tries={
            "gitlab-jobs": (Try(words="show", shows=("contract", "unit")),),
            "glab": (Try(words="ci get", shows=(f"id:\t{PIPELINE}\n", "contract:\tfailed")),),
            "gitlab": (
                Try(words=_LATEST, shows=("contract",)),
                Try(words=_LATEST, note="Of the default branch only, and without jobs."),
            ),
        },
        documented={
            "gh": partly("gh-run-view", "gh asks which run to show; `gh run list` has `--branch`.")
        },
    ),
    Thing(
        name="name a pipeline by its merge request, `!12`",
        tries={
            "gitlab-jobs": (Try(words="list --pipeline !12", shows=("preview",)),),
            "glab": (
                Try(words="ci get -b !12", shows=("preview",)),
                Try(
                    words="ci list --ref refs/merge-requests/12/head",
                    shows=("#2",),
                    note="glab lists the pipelines of `refs/merge-requests/12/head`.",
                ),
            ),
            "gitlab": (
                Try(
                    words=f"project-merge-request-pipeline list {_PROJECT} --mr-iid 12",
                    shows=("id: 2",),
                    note="It lists the pipelines, not their jobs.",
                ),
            ),
        },
        documented={"gh": yes("gh-pr-checks")},
    ),
    Thing(
        name="paste the web address of a job",
        tries={
            "gitlab-jobs": (Try(words=f"show {job_url()}", shows=("contract",)),),
            "glab": (Try(words=f"ci trace {job_url()}", shows=("Job failed",)),),
            "gitlab": (Try(words=f"project-job get --project-id shop/payments --id {job_url()}"),),
        },
        documented={
            "gh": partly("gh-pr-checks", "Addresses of pull requests work, those of runs do not.")
        },
    ),
    Thing(
        name="name a job by its name",
        tries={
            "gitlab-jobs": (Try(words="trace contract", shows=("Job failed",)),),
            "glab": (Try(words="ci trace contract", shows=("Job failed",), code=None),),
            "gitlab": (Try(words="project-job trace --project-id shop/payments --id contract"),),
        },
        documented={"gh": NO, "stern": yes("stern"), "k9s": yes("k9s-keys")},
    ),
    Thing(
        name="list the pipelines of a branch",
        tries={
            "gitlab-jobs": (
                Try(words="pipelines --ref main", shows=(rf"\b{PIPELINE}\b",)),
                Try(words="pipelines main", shows=(rf"\b{PIPELINE}\b",)),
            ),
            "glab": (Try(words="ci list --ref main", shows=(rf"#{PIPELINE}\b",)),),
            "gitlab": (
                Try(
                    words="project-pipeline list --project-id shop/payments --ref main",
                    shows=(f"id: {PIPELINE}",),
                ),
            ),
        },
        documented={"gh": yes("gh-run-list")},
    ),
    Thing(
        name="complete names of projects, pipelines and jobs with Tab",
        tries={
            "gitlab-jobs": (Try(words="completion bash", shows=("complete",)),),
            "glab": (
                Try(words="__complete ci trace con", shows=("contract",)),
                Try(
                    words="completion",
                    shows=("bash",),
                    note=_COMMANDS_ONLY,
                ),
            ),
            "gitlab": (Try(words="--help", shows=("completion",)),),
        },
        documented={
            "gitlab": partly("python-gitlab-completion", _COMMANDS_ONLY),
            "gh": partly("gh-completion", _COMMANDS_ONLY),
            "stern": yes("stern-completion"),
            "k9s": yes("k9s-keys"),
        },
    ),
)
