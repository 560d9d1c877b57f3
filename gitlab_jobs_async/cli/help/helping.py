"""The command about the command line itself."""

from typing import Final

from gitlab_jobs_async.cli.help.command import Command

_COMPLETION: Final = """Print the script that completes gitlab-jobs in a shell.

It completes commands, options, their values, and the names of projects, pipelines and jobs. Names
are read from the server in at most a second, and kept for a minute in a file that only you can
read, below XDG_CACHE_HOME or ~/.cache.

  bash  gitlab-jobs completion bash > ~/.local/share/bash-completion/completions/gitlab-jobs
  zsh   gitlab-jobs completion zsh > a folder of $fpath, as _gitlab-jobs
  fish  gitlab-jobs completion fish > ~/.config/fish/completions/gitlab-jobs.fish
"""

COMPLETION: Final = Command(
    "completion",
    "commands.completion:completion",
    _COMPLETION,
    "Usage: gitlab-jobs completion (bash | zsh | fish)",
    (
        ("For this shell only, in bash or zsh", "source <(gitlab-jobs completion bash)"),
        ("For every shell of fish", "gitlab-jobs completion fish > gitlab-jobs.fish"),
    ),
)

HELP: Final = Command(
    "help",
    "app:print_help",
    "Print the help of a command or a topic.",
    "Usage: gitlab-jobs help [COMMAND | server]",
    (
        ("Options and examples of a command", "gitlab-jobs help list"),
        ("Where server, token and certificates are found", "gitlab-jobs help server"),
    ),
)
