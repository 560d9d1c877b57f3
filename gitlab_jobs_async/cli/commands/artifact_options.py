"""Options of the command `artifacts`.."""

from pathlib import Path
from typing import Annotated, Literal, TypedDict

from attrs import frozen
from cyclopts import Parameter

from gitlab_jobs_async.cli.arguments import parse_size
from gitlab_jobs_async.cli.options import Positive, Switch


class UnpackArguments(TypedDict, total=False):
    """The keyword arguments of `unpack_artifacts`."""

    links: Literal["refuse", "skip", "create"]
    max_size: int
    max_files: int
    overwrite: bool


@Parameter(name="*")
@frozen(kw_only=True)
class ArtifactAction:
    """At most one action; the default downloads the archive."""

    listed: Annotated[
        Switch, Parameter(name="--list", help="List the files of the archive. Requires GitLab 19.")
    ] = False
    path: Annotated[
        str | None,
        Parameter(
            metavar="PATH", help="Download one file of the archive, such as coverage/index.html."
        ),
    ] = None
    unpack: Annotated[
        Path | None,
        Parameter(metavar="DIR", help="Unpack the archive to this directory, new or empty."),
    ] = None
    keep: Annotated[Switch, Parameter(help="Keep the artifacts from expiring.")] = False
    delete: Annotated[Switch, Parameter(help="Delete them, after confirmation.")] = False

    @property
    def count(self) -> int:
        """Number of actions given."""
        given = (self.listed, self.path is not None, self.unpack is not None, self.keep)
        return sum((*given, self.delete))

    @property
    def needs_id(self) -> bool:
        """Whether GitLab has the action for the id of a job only."""
        return self.listed or self.keep or self.delete

    @property
    def prints_bytes(self) -> bool:
        """Whether bytes go to a file or stdout."""
        return not self.needs_id and self.unpack is None


@Parameter(name="*")
@frozen(kw_only=True)
class LatestJob:
    """The job of a name in the latest successful pipeline of a ref."""

    ref: Annotated[
        str | None,
        Parameter(
            metavar="REF",
            help="The latest successful pipeline of this branch or tag, in place of a JOB.",
        ),
    ] = None
    name: Annotated[
        str | None, Parameter(name="--job", metavar="NAME", help="Name of the job in --ref.")
    ] = None
    search_recent: Annotated[
        Switch,
        Parameter(help="Search recent successful pipelines, too, if the latest lacks the job."),
    ] = False


@Parameter(name="*")
@frozen(kw_only=True)
class UnpackOptions:
    """How `--unpack` writes; None is the default of the SDK."""

    links: Annotated[
        Literal["refuse", "skip", "create"] | None,
        Parameter(help="Symbolic links: refuse the archive, skip them, or create safe ones."),
    ] = None
    max_size: Annotated[
        str | None,
        Parameter(
            metavar="SIZE", help="Most bytes to unpack, such as 500MB or 2GiB. Default: 1GiB."
        ),
    ] = None
    max_files: Annotated[
        Positive, Parameter(help="Most files and directories to unpack. Default: 50000.")
    ] = None
    overwrite: Annotated[
        Switch, Parameter(help="Unpack to a directory with files; replace those of the same name.")
    ] = False

    def arguments(self) -> UnpackArguments:
        """Return the keyword arguments of `unpack_artifacts`."""
        found: UnpackArguments = {"overwrite": self.overwrite}
        if self.links is not None:
            found["links"] = self.links
        if self.max_size is not None:
            found["max_size"] = parse_size("--max-size", self.max_size)
        if self.max_files is not None:
            found["max_files"] = self.max_files
        return found
