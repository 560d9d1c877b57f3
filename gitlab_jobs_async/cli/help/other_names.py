"""Names of the commands of glab, gh and kubectl, and those of the same commands here."""

from typing import Final

OTHER_NAMES: Final = {
    "browse": "show --web",
    "ci": "the command after ci, as in gitlab-jobs list",
    "create": "run",
    "delete": "erase",
    "download": "artifacts",
    "follow": "tail",
    "get": "show",
    "log": "trace",
    "logs": "trace, or tail to follow",
    "rerun": "retry",
    "start": "play, or run for a pipeline",
    "status": "show, or watch to follow",
    "stop": "cancel",
    "trigger": "play, or run for a pipeline",
    "view": "show, or watch to follow",
}
