"""Things people do beside the jobs, for which other programs are made."""

from benchmarks.features.answers import Thing, Try, partly, yes
from benchmarks.features.scene import PIPELINE

_PROJECT = "--project-id shop/payments"


def _ours(word: str) -> tuple[Try, ...]:
    """Try whether the help of this command has *word*."""
    return (Try(words="--help", shows=(word,)),)


THINGS = (
    Thing(
        name="view, approve and merge merge requests",
        brief=True,
        tries={
            "gitlab-jobs": _ours(r"\bmerge "),
            "glab": (Try(words="mr --help", shows=("approve:", "merge:")),),
            "gitlab": (Try(words="project-merge-request --help", shows=("approve", "merge")),),
        },
        documented={"gh": yes("gh-pr")},
    ),
    Thing(
        name="manage issues, releases and CI/CD variables",
        tries={
            "gitlab-jobs": _ours("issue"),
            "glab": (Try(words="--help", shows=("issue:", "release:", "variable:")),),
            "gitlab": (
                Try(words="--help", shows=("project-issue", "project-release", "project-variable")),
            ),
        },
        documented={"gh": yes("gh")},
    ),
    Thing(
        name="manage every other resource of the API",
        brief=True,
        tries={
            "gitlab-jobs": _ours(r"\bapi\b"),
            "glab": (
                Try(
                    words="api projects/shop%2Fpayments",
                    shows=("shop/payments",),
                    note="With `glab api` and the path of the request.",
                ),
            ),
            "gitlab": (Try(words="--help", shows=("group-member", "topic", "user-key")),),
        },
        documented={"gh": partly("gh-api", "With `gh api` and the path of the request.")},
    ),
    Thing(
        name="delete a pipeline",
        tries={
            "gitlab-jobs": _ours("delete.*pipeline"),
            "glab": (
                Try(
                    words=f"ci delete {PIPELINE}", holds=lambda o: PIPELINE not in o.world.pipelines
                ),
            ),
            "gitlab": (
                Try(
                    words=f"project-pipeline delete {_PROJECT} --id {PIPELINE}",
                    holds=lambda o: PIPELINE not in o.world.pipelines,
                ),
            ),
        },
        documented={"gh": yes("gh-run-delete")},
    ),
    Thing(
        name="check `.gitlab-ci.yml`",
        tries={
            "gitlab-jobs": _ours("lint"),
            "glab": (Try(words="ci lint --help", shows=("Checks if",)),),
            "gitlab": (Try(words="project-ci-lint --help", shows=("validate",)),),
        },
    ),
    Thing(
        name="write settings by a command",
        tries={
            "gitlab-jobs": (Try(words="config set editor vim"),),
            "glab": (Try(words="config set editor vim"),),
            "gitlab": (Try(words="--help", shows=("config set",)),),
        },
        documented={"gh": yes("gh-config")},
    ),
    Thing(
        name="define commands of one's own (aliases)",
        tries={
            "gitlab-jobs": _ours("alias"),
            "glab": (Try(words="alias set red 'ci list --status=failed'"),),
            "gitlab": (Try(words="--help", shows=("alias",)),),
        },
        documented={"gh": yes("gh-alias"), "k9s": yes("k9s-aliases")},
    ),
    Thing(
        name="add plugins",
        tries={
            "gitlab-jobs": _ours("plugin|extension"),
            "glab": (Try(words="--help", shows=("plugin|extension",)),),
            "gitlab": (Try(words="--help", shows=("plugin",)),),
        },
        documented={"gh": yes("gh-extension"), "k9s": yes("k9s-plugins")},
    ),
)
