"""The command `artifacts`: what a job left behind."""

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
from gitlab_jobs_async.cli.errors import OK, bad_input
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
from gitlab_jobs_async.cli.output_files import whole_file
from gitlab_jobs_async.cli.terminal import is_terminal, stdout_bytes
from gitlab_jobs_async.cli.views.rows import moment, size
from gitlab_jobs_async.cli.views.tables import add_column, cell, empty_table
from gitlab_jobs_async.models.jobs import ArtifactEntry
from gitlab_jobs_async.project import Project


@Parameter(name="*")
@frozen(kw_only=True)
class Wish:
    """What to do with the artifacts; one of these, or the archive's bytes to stdout."""

    listed: Annotated[
        Switch, Parameter(name="--list", help="The files in the archive; needs GitLab 19.")
    ] = False
    path: Annotated[
        str | None, Parameter(help="One file of the archive, such as coverage/index.html.")
    ] = None
    keep: Annotated[Switch, Parameter(help="Keep them from expiring.")] = False
    delete: Annotated[Switch, Parameter(help="Delete them; the log stays. Asks before.")] = False

    @property
    def count(self) -> int:
        """How many are wished for at once."""
        return sum((self.listed, self.path is not None, self.keep, self.delete))


_ARCHIVE = Wish()


def artifacts(
    project: ProjectName,
    job: JobNumber,
    /,
    *,
    wish: Wish = _ARCHIVE,
    output: Output = None,
    yes: Yes = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Return a job's artifacts: the whole archive (a zip), one file of it, or what it holds.

    Bytes go to --output, or to stdout where that is no terminal.
    """
    if wish.count > 1:
        raise bad_input("say one of --list, --path, --keep and --delete")
    fetches = not (wish.listed or wish.keep or wish.delete)
    if output is not None and not fetches:
        raise bad_input("--output goes with the archive or with --path")
    if fetches and output is None and is_terminal():
        raise bad_input("a terminal cannot show this; say --output FILE, or --list")
    if wish.delete and not yes:
        confirm(f"Delete the artifacts of job {job} in {clean(project)}?")
    return asyncio.run(_carry_out(project, job, wish, output, server, json=json))


async def _carry_out(
    name: str, job: int, wish: Wish, output: Path | None, server: ServerOptions, *, json: bool
) -> int:
    async with connect(server) as gitlab:
        project = gitlab.project(project_id(name))
        if wish.listed:
            print_entries(await project.list_artifacts(job, recursive=True), json=json)
        elif wish.keep:
            kept = await project.keep_artifacts(job)
            until = moment(kept.artifacts_expire_at) or "for good"
            print_result(f"the artifacts of job {job} are kept {until}", kept, json=json)
        elif wish.delete:
            await project.delete_artifacts(job)
            deleted = {"id": job, "artifacts": []}
            print_result(f"the artifacts of job {job} are deleted", deleted, json=json)
        else:
            await _fetch(project, job, wish.path, output)
    return OK


async def _fetch(project: Project, job: int, path: str | None, output: Path | None) -> None:
    if path is not None:
        content = await project.get_artifact_file(job, path)
        with whole_file(output) if output else stdout_bytes() as out:
            out.write(content)
        return
    async with project.stream_artifacts(job) as chunks:
        with whole_file(output) if output else stdout_bytes() as out:
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
