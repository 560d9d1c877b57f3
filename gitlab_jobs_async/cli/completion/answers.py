"""Candidates for the word at the cursor, and the names that only a server knows. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from attrs import define, field, frozen

from gitlab_jobs_async.cli.completion.grammar import CommandWords, Grammar, Option

Kind = Literal["projects", "groups", "pipelines", "refs", "jobs", "stages", "profiles"]

_KINDS: Final[dict[str, Kind]] = {
    "PROJECT": "projects",
    "GROUP": "groups",
    "PIPELINE": "pipelines",
    "REF": "refs",
    "JOB": "jobs",
}
_STATUSES: Final = (
    "created", "pending", "running", "failed", "success", "canceled", "skipped", "manual",
    "scheduled", "waiting_for_resource", "preparing", "canceling", "waiting_for_callback",
)  # fmt: skip
_SOURCES: Final = (
    "push", "web", "trigger", "schedule", "api", "external", "pipeline", "chat", "webide",
    "merge_request_event", "external_pull_request_event", "parent_pipeline", "ondemand_dast_scan",
    "ondemand_dast_validation", "security_orchestration_policy", "container_registry_push",
    "duo_workflow", "pipeline_execution_policy_schedule", "unknown",
)  # fmt: skip
_SECTIONS: Final = (
    "step_script", "after_script", "get_sources", "restore_cache", "download_artifacts",
    "archive_cache", "upload_artifacts_on_success", "upload_artifacts_on_failure",
    "prepare_executor", "prepare_script", "resolve_secrets", "cleanup_file_variables",
)  # fmt: skip
"""Stages of a job that the runner marks: common/build_stage.go."""

_VALUES: Final = {"STATUS": _STATUSES, "SOURCE": _SOURCES, "SECTION": _SECTIONS}
_LISTS: Final = frozenset({"--columns", "--scope"})
"""Options whose values may be several, separated by commas."""

_KINDS_OF_OPTIONS: Final[dict[str, Kind]] = {
    "--job": "jobs",
    "--profile": "profiles",
    "--ref": "refs",
    "--stage": "stages",
}
_FILES: Final = frozenset({"FILE", "DIR", "STORE"})
_TOPICS: Final = ("names", "server")
_SERVER_OPTIONS: Final[tuple[str, ...]] = ("--url", "--token", "--profile")


@frozen
class Candidate:
    """A word, and what it is."""

    value: str
    about: str = ""


@frozen(kw_only=True)
class Answer:
    """The candidates; or names of the server, or files, are to be completed.

    *prefix* stands in front of each candidate, such as `--pipeline=`.
    """

    candidates: tuple[Candidate, ...] = ()
    kinds: tuple[Kind, ...] = ()
    project: str | None = None
    """The project whose names are wanted; None for that of the checkout."""

    is_file: bool = False
    prefix: str = ""
    server: dict[str, str] = field(factory=dict[str, str], repr=False)
    """The options of the line that select the server; one may be a token."""


def answer(grammar: Grammar, words: Sequence[str], current: str) -> Answer:
    """Return the answer for *current* after *words*, which follow the program's name."""
    if not words:
        commands = [Candidate(name, command.about) for name, command in grammar.items()]
        return Answer(candidates=(*commands, Candidate("--help"), Candidate("--version")))
    name, *rest = words
    if name == "help":
        topics = (*grammar, *_TOPICS)
        return Answer(candidates=() if rest else tuple(Candidate(one) for one in topics))
    command = grammar.get(name)
    return Answer() if command is None else _of_command(command, rest, current)


@define
class _Typed:
    """The words before the cursor, by what they are."""

    positional: list[str] = field(factory=list[str])
    values: dict[str, str] = field(factory=dict[str, str])
    awaited: Option | None = None
    """The option whose value is the next word."""

    has_options: bool = True
    """Whether a word with a dash is an option: not after `--`."""

    def read(self, word: str, by_name: Mapping[str, Option]) -> None:
        name, equals, value = word.partition("=")
        option = by_name.get(name) if self.has_options else None
        if self.awaited is not None:
            self.values[self.awaited.names[0]] = word
            self.awaited = None
        elif option is not None and equals:
            self.values[option.names[0]] = value
        elif option is not None:
            self.awaited = option if option.value else None
        elif self.has_options and word == "--":
            self.has_options = False
        elif not (self.has_options and word.startswith("-")):
            self.positional.append(word)

    @property
    def project(self) -> str | None:
        first = self.positional[0] if self.positional else ""
        return self.values.get("--project") or (first if "/" in first.strip("/") else None)

    @property
    def server(self) -> dict[str, str]:
        return {name: self.values[name] for name in _SERVER_OPTIONS if name in self.values}


def _of_command(command: CommandWords, words: Sequence[str], current: str) -> Answer:
    by_name = {name: option for option in command.options for name in option.names}
    typed = _Typed()
    for word in words:
        typed.read(word, by_name)
    if typed.awaited is not None:
        return _of_value(typed.awaited, typed, current)
    name, equals, value = current.partition("=")
    if typed.has_options and equals and name in by_name and by_name[name].value:
        return _of_value(by_name[name], typed, value, prefix=f"{name}=")
    if typed.has_options and current.startswith("-"):
        return Answer(candidates=tuple(_options(command)))
    return _of_argument(command, typed)


def _options(command: CommandWords) -> list[Candidate]:
    found = [Candidate(name, one.about) for one in command.options for name in one.names]
    return [*found, Candidate("--help")]


def _of_value(option: Option, typed: _Typed, current: str, *, prefix: str = "") -> Answer:
    name, value = option.names[0], option.value.removesuffix("...")
    if known := option.choices or _VALUES.get(value, ()):
        before = current[: current.rfind(",") + 1] if name in _LISTS else ""
        given = before.split(",")
        candidates = tuple(Candidate(one) for one in known if one not in given)
        return Answer(candidates=candidates, prefix=prefix + before)
    if value in _FILES:
        return Answer(is_file=True, prefix=prefix)
    kind = _KINDS_OF_OPTIONS.get(name, _KINDS.get(value))
    if kind is None:
        return Answer()
    return Answer(kinds=(kind,), project=typed.project, prefix=prefix, server=typed.server)


def _of_argument(command: CommandWords, typed: _Typed) -> Answer:
    if command.choices:
        first = () if typed.positional else tuple(map(Candidate, command.choices))
        return Answer(candidates=first)
    wanted = [_KINDS[name] for name in command.arguments if name in _KINDS]
    if not wanted:
        return Answer()
    last = wanted[-1]
    may_be_project = last != "projects" and typed.project is None and not typed.positional
    # The project may precede, or be that of the checkout.
    kinds: tuple[Kind, ...] = (last, "projects") if may_be_project else (last,)
    return Answer(kinds=kinds, project=typed.project, server=typed.server)
