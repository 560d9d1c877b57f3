"""Options that select jobs by their name, stage and ref. Pure."""

from typing import Annotated, Final

from attrs import define, field, frozen
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.patterns import Pattern, parse_patterns, passes
from gitlab_jobs_async.models.jobs import JobBasic

_GROUP: Final = Group("Jobs", sort_key=3)


@Parameter(name="*", group=_GROUP)
@frozen(kw_only=True)
class JobFilter:
    """Options that select jobs in place of ids; each is a regular expression, and repeatable."""

    jobs: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="REGEX", help="All jobs whose name matches this; repeatable, for one of them."
        ),
    ] = ()
    exclude: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="REGEX",
            help="No jobs whose name matches this. Repeatable. For lines: --exclude-lines.",
        ),
    ] = ()
    stage: Annotated[
        tuple[str, ...],
        Parameter(metavar="REGEX", help="Only jobs whose stage matches this. Repeatable."),
    ] = ()
    ref: Annotated[
        tuple[str, ...],
        Parameter(metavar="REGEX", help="Only jobs whose branch or tag matches this. Repeatable."),
    ] = ()
    max_logs: Annotated[
        int,
        Parameter(
            metavar="N",
            validator=Number(gte=1),
            show_default=True,
            help="Maximum of logs that are followed at once; further jobs wait in order.",
        ),
    ] = 50

    @property
    def is_set(self) -> bool:
        """Whether any of these options selects jobs."""
        return bool(self.jobs or self.exclude or self.stage or self.ref)


@define
class JobSelection:
    """The jobs that pass a filter.

    Raises:
        CommandError: a pattern is invalid.
    """

    options: JobFilter
    _names: tuple[Pattern, ...] = field(init=False)
    _excluded: tuple[Pattern, ...] = field(init=False)
    _stages: tuple[Pattern, ...] = field(init=False)
    _refs: tuple[Pattern, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._names = parse_patterns("--jobs", self.options.jobs)
        self._excluded = parse_patterns("--exclude", self.options.exclude)
        self._stages = parse_patterns("--stage", self.options.stage)
        self._refs = parse_patterns("--ref", self.options.ref)

    def has(self, job: JobBasic) -> bool:
        """Return whether *job* is selected."""
        return (
            passes(job.name, self._names, self._excluded)
            and passes(job.stage, self._stages, ())
            and passes(job.ref, self._refs, ())
        )
