"""The command `artifacts`."""

import asyncio
from pathlib import Path
from typing import Annotated

from attrs import frozen
from cyclopts import Parameter
from rich.table import Table

from gitlab_jobs_async.cli.arguments import project_id
from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.commands.actions import confirm
from gitlab_jobs_async.cli.config.client import connect
from gitlab_jobs_async.cli.errors import OK, usage_error
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    JobNumber,
    Json,
    Output,
    ProjectName,
    ServerOptions,
    Switch,
    Yes,
)
from gitlab_jobs_async.cli.output import print_result, print_rows
from gitlab_jobs_async.cli.output_files import atomic_file
from gitlab_jobs_async.cli.terminal import is_terminal, stdout_bytes
from gitlab_jobs_async.cli.views.rows import moment, size
from gitlab_jobs_async.cli.views.tables import add_column, cell, empty_table
from gitlab_jobs_async.models.artifacts import ArtifactEntry
from gitlab_jobs_async.project import Project


@Parameter(name="*")
@frozen(kw_only=True)
class ArtifactAction:
    """At most one action; the default downloads the archive."""

    listed: Annotated[
        Switch, Parameter(name="--list", help="List the files of the archive. Requires GitLab 19.")
    ] = False
    path: Annotated[
        str | None, Parameter(help="Download one file of the archive, such as coverage/index.html.")
    ] = None
    keep: Annotated[Switch, Parameter(help="Keep the artifacts from expiring.")] = False
    delete: Annotated[Switch, Parameter(help="Delete them, after confirmation.")] = False

    @property
    def count(self) -> int:
        """Number of actions given."""
        return sum((self.listed, self.path is not None, self.keep, self.delete))


_ARCHIVE = ArtifactAction()


def artifacts(
    project: ProjectName,
    job: JobNumber,
    /,
    *,
    action: ArtifactAction = _ARCHIVE,
    output: Output = None,
    yes: Yes = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Carry out one action on a job's artifacts; bytes go to *output* or stdout."""
    if action.count > 1:
        raise usage_error("expected only one of --list, --path, --keep and --delete")
    fetches = not (action.listed or action.keep or action.delete)
    if output is not None and not fetches:
        raise usage_error("--output is for the archive or --path")
    # Bytes of an archive would garble the screen.
    if fetches and output is None and is_terminal():
        raise usage_error("stdout is a terminal: expected --output FILE or --list")
    if action.delete and not yes:
        confirm(f"Delete the artifacts of job {job} in {clean(project)}?")
    return asyncio.run(_carry_out(project, job, action, output, server, json=json))


async def _carry_out(
    name: str,
    job: int,
    action: ArtifactAction,
    output: Path | None,
    server: ServerOptions,
    *,
    json: bool,
) -> int:
    async with connect(server) as gitlab:
        project = gitlab.project(project_id(name))
        if action.listed:
            print_entries(await project.list_artifacts(job, recursive=True), json=json)
        elif action.keep:
            kept = await project.keep_artifacts(job)
            until = moment(kept.artifacts_expire_at) or "for good"
            print_result(f"the artifacts of job {job} are kept {until}", kept, json=json)
        elif action.delete:
            await project.delete_artifacts(job)
            deleted = {"id": job, "artifacts": []}
            print_result(f"the artifacts of job {job} are deleted", deleted, json=json)
        else:
            await _fetch(project, job, action.path, output)
    return OK


async def _fetch(project: Project, job: int, path: str | None, output: Path | None) -> None:
    if path is not None:
        content = await project.get_artifact_file(job, path)
        with atomic_file(output) if output else stdout_bytes() as out:
            out.write(content)
        return
    # Requested first: after an error, no file is created or replaced.
    async with project.stream_artifacts(job) as chunks:
        with atomic_file(output) if output else stdout_bytes() as out:
            async for chunk in chunks:
                out.write(chunk)


def print_entries(entries: list[ArtifactEntry], *, json: bool) -> None:
    """Print the files of an archive."""
    rows = ((entry.path, entry.type, entry.size) for entry in entries)
    print_rows(entries, rows, lambda: _table(entries), json=json)


def _table(entries: list[ArtifactEntry]) -> Table:
    table = empty_table()
    add_column(table, "path")
    add_column(table, "size", justify="right", whole=True)
    for entry in entries:
        table.add_row(cell(entry.path), cell("" if entry.size is None else size(entry.size)))
    return table
