"""Things people do on a full screen."""

from benchmarks.features.answers import Outcome, Step, Thing, Try, partly, yes
from benchmarks.features.scene import FAILED

_MOUSE = "\x1b\\[\\?100[0-6]"
_DOWN, _RIGHT = "\x1b[B", "\x1b[C"
_GLAB_JOB = f"{_RIGHT}{_RIGHT}{_DOWN}"
_LOG = (Step("contract", "f"), Step("", "\r"))
_GLAB_LOG = (Step("contract", _GLAB_JOB), Step("", "\r"))
_NO_SCREEN = (Try(words="--help", shows=("full.screen",)),)


def _is_retried(outcome: Outcome) -> bool:
    return outcome.world.jobs[FAILED].retried


def _is_opened(outcome: Outcome) -> bool:
    return (outcome.folder / "opened").exists()


THINGS = (
    Thing(
        name="watch in a full-screen view, and open a job's log in it",
        brief=True,
        tries={
            "gitlab-jobs": (
                Try(
                    words="watch",
                    steps=(*_LOG, Step("AssertionError")),
                ),
            ),
            "glab": (
                Try(
                    words="ci view",
                    steps=(
                        *_GLAB_LOG,
                        Step("AssertionError"),
                    ),
                ),
            ),
            "gitlab": (Try(words="--help", shows=("watch",)),),
        },
        documented={
            "gh": partly("gh-run-watch", "`gh run watch` redraws the steps; no log can be opened."),
            "k9s": yes("k9s-keys"),
        },
    ),
    Thing(
        name="use the mouse in the full-screen view",
        tries={
            "gitlab-jobs": (Try(words="watch", steps=(Step("contract"),), shows=(_MOUSE,)),),
            "glab": (Try(words="ci view", steps=(Step("contract"),), shows=(_MOUSE,)),),
            "gitlab": (Try(words="--help", shows=("mouse",)),),
        },
        documented={"k9s": yes("k9s-config")},
    ),
    Thing(
        name="filter what the full screen shows",
        tries={
            "gitlab-jobs": (
                Try(words="watch", steps=(Step("contract", "/contra\r"), Step("1 job"))),
            ),
            "glab": (Try(words="ci view --help", shows=("filter",)),),
            "gitlab": _NO_SCREEN,
        },
        documented={"k9s": yes("k9s-keys")},
    ),
    Thing(
        name="retry, cancel and start jobs in it",
        tries={
            "gitlab-jobs": (
                Try(
                    words="watch",
                    steps=(Step("contract", "f"), Step("", "r"), Step("again|retr")),
                    holds=_is_retried,
                ),
            ),
            "glab": (
                Try(
                    words="ci view",
                    steps=(
                        Step("contract", _GLAB_JOB),
                        Step("", "\x12"),
                        Step("Yes", "\t\r"),
                        Step("● contract"),
                    ),
                    holds=_is_retried,
                ),
            ),
            "gitlab": _NO_SCREEN,
        },
        documented={"k9s": yes("k9s-keys")},
    ),
    Thing(
        name="search in a log",
        tries={
            "gitlab-jobs": (
                Try(
                    words="watch",
                    steps=(
                        *_LOG,
                        Step("AssertionError", "/Obtaining\r"),
                        Step("Obtaining file.*"),
                    ),
                ),
            ),
            "glab": (
                Try(
                    words="ci view",
                    steps=(
                        *_GLAB_LOG,
                        Step("AssertionError", "/Obtaining\r"),
                        Step("Obtaining file"),
                    ),
                ),
            ),
            "gitlab": _NO_SCREEN,
        },
        documented={"k9s": yes("k9s-keys")},
    ),
    Thing(
        name="open a log at the failing lines, other sections folded",
        tries={
            "gitlab-jobs": (
                Try(
                    words="watch",
                    steps=(
                        *_LOG,
                        Step("line 36 of", "g"),
                        Step("[▸▹] get_sources"),
                    ),
                ),
            ),
            "glab": (Try(words="ci view --help", shows=("section|failing",)),),
            "gitlab": _NO_SCREEN,
        },
    ),
    Thing(
        name="open a pipeline in the browser",
        tries={
            "gitlab-jobs": (Try(words="show --web", holds=_is_opened),),
            "glab": (Try(words="ci view --web", holds=_is_opened),),
            "gitlab": (Try(words="project-pipeline get --help", shows=("--web",)),),
        },
        documented={"gh": yes("gh-run-view")},
    ),
)
