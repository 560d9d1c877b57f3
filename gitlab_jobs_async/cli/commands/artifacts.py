"""The command `artifacts`."""

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.commands.actions import confirm
from gitlab_jobs_async.cli.commands.artifact_options import (
    ArtifactAction,
    LatestJob,
    UnpackArguments,
    UnpackOptions,
)
from gitlab_jobs_async.cli.config.client import connect_to
from gitlab_jobs_async.cli.errors import OK, usage_error
from gitlab_jobs_async.cli.finding.resolve import FoundJobs, find_jobs, open_project
from gitlab_jobs_async.cli.finding.selection import Selection, select, select_job
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    ANYWHERE,
    Columns,
    FindOptions,
    JobWord,
    Json,
    Output,
    ServerOptions,
    Web,
    Yes,
)
from gitlab_jobs_async.cli.output import chosen_columns, print_result, print_table
from gitlab_jobs_async.cli.output_files import atomic_file
from gitlab_jobs_async.cli.progress import Progress, progress
from gitlab_jobs_async.cli.signals import run_until_signal
from gitlab_jobs_async.cli.terminal import is_terminal, stdout_bytes
from gitlab_jobs_async.cli.views.archive_columns import (
    ENTRY_COLUMNS,
    ENTRY_DEFAULT,
    ENTRY_TABLE,
)
from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.rows import size
from gitlab_jobs_async.cli.views.times import local_time
from gitlab_jobs_async.cli.web_page import project_page, show_page, show_selected
from gitlab_jobs_async.models.artifacts import ArtifactEntry
from gitlab_jobs_async.project import Project


@frozen
class _Latest:
    """A job by its ref and name."""

    ref: str
    job: str
    search_recent: bool


_ARCHIVE = ArtifactAction()
_NO_JOB = LatestJob()
_CAREFULLY = UnpackOptions()


def artifacts(
    *words: JobWord,
    where: FindOptions = ANYWHERE,
    latest: LatestJob = _NO_JOB,
    action: ArtifactAction = _ARCHIVE,
    unpacked: UnpackOptions = _CAREFULLY,
    output: Output = None,
    yes: Yes = False,
    columns: Columns = None,
    web: Web = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Carry out one action on a job's artifacts; bytes go to *output* or stdout."""
    default = ENTRY_TABLE if is_terminal() else ENTRY_DEFAULT
    shown = chosen_columns(columns, ENTRY_COLUMNS, default, json=json)
    selection, source = _selected(words, where, latest)
    if columns is not None and not action.listed:
        raise usage_error("--columns is for --list")
    if action.count > 1:
        raise usage_error("expected only one of --list, --path, --unpack, --keep and --delete")
    if action.needs_id and source is not None:
        raise usage_error("--ref is for the archive, --path or --unpack: expected a JOB")
    if unpacked != _CAREFULLY and action.unpack is None:
        raise usage_error("--links, --max-size, --max-files and --overwrite are for --unpack")
    if web:
        if action != _ARCHIVE or output is not None:
            raise usage_error("--web: expected neither --output nor an action")
        return run_until_signal(_show(selection, server))
    arguments = unpacked.arguments()
    if output is not None and not action.prints_bytes:
        raise usage_error("--output is for the archive or --path")
    # Bytes of an archive would garble the screen.
    if action.prints_bytes and output is None and is_terminal():
        raise usage_error("stdout is a terminal: expected --output FILE, --unpack DIR or --list")
    found = run_until_signal(find_jobs(server, selection))
    if action.delete and not yes:
        confirm(f"Delete the artifacts of {clean(found)}?")
    work = _carry_out(found, source, action, arguments, output, shown, server, json=json)
    return run_until_signal(work)


def _selected(
    words: Sequence[str], where: FindOptions, latest: LatestJob
) -> tuple[Selection, _Latest | None]:
    """Return the selection of one job, or of a project with the ref and name of a job."""
    if latest == _NO_JOB:
        return select_job(words, where), None
    if latest.ref is not None and latest.name is not None and where.pipeline is None:
        selection = select(words, where.project, takes_project=True)
        if not selection.jobs:
            return selection, _Latest(latest.ref, latest.name, latest.search_recent)
    raise usage_error("expected either a JOB or --ref REF with --job NAME")


async def _show(selection: Selection, server: ServerOptions) -> int:
    """Open the page of a job's artifacts, or that of all artifacts of the project."""
    async with open_project(server, selection) as finder:
        if selection.jobs:
            return await show_selected(finder, selection, "/artifacts/browse")
        name = finder.project.id
        await show_page(project_page(finder.gitlab.url, name, "artifacts"))
    return OK


async def _carry_out(
    found: FoundJobs,
    latest: _Latest | None,
    action: ArtifactAction,
    arguments: UnpackArguments,
    output: Path | None,
    columns: Sequence[Column[ArtifactEntry]],
    server: ServerOptions,
    *,
    json: bool,
) -> int:
    source = found.ids[0] if latest is None else latest
    with progress("artifacts") as waiting:
        async with connect_to(
            found.server, server, hooks=waiting.hooks(), reading=found.reading
        ) as gitlab:
            project = gitlab.project(found.project)
            if isinstance(source, int) and action.listed:
                entries = await project.list_artifacts(source, recursive=True)
                waiting.stop()
                print_table(entries, columns, entries, nothing="no files", json=json)
            elif isinstance(source, int) and action.needs_id:
                await _act(project, source, action, json=json)
            elif action.path is not None:
                await _fetch_file(project, source, action.path, output)
            else:
                waiting.expect(None, "byte")
                if action.unpack is None:
                    await _fetch_archive(project, source, output, waiting)
                else:
                    await _unpack(project, source, action.unpack, arguments, waiting, json=json)
    return OK


async def _act(project: Project, job: int, action: ArtifactAction, *, json: bool) -> None:
    if action.keep:
        kept = await project.keep_artifacts(job)
        until = local_time(kept.artifacts_expire_at) or "for good"
        print_result(f"the artifacts of job {job} are kept {until}", kept, json=json)
    else:
        await project.delete_artifacts(job)
        deleted = {"id": job, "artifacts": []}
        print_result(f"the artifacts of job {job} are deleted", deleted, json=json)


async def _unpack(
    project: Project,
    source: int | _Latest,
    directory: Path,
    arguments: UnpackArguments,
    waiting: Progress,
    *,
    json: bool,
) -> None:
    if isinstance(source, int):
        done = await project.unpack_artifacts(
            source, directory, **arguments, progress=waiting.update
        )
    else:
        done = await project.unpack_latest_artifacts(
            source.ref,
            directory,
            job=source.job,
            search_recent=source.search_recent,
            **arguments,
            progress=waiting.update,
        )
    waiting.stop()
    written = {"path": str(done.path), "size": done.size, "sha256": done.sha256}
    words = f"unpacked to {clean(str(done.path))}: {size(done.size)}, sha256 {done.sha256}"
    print_result(words, written, json=json)


async def _fetch_file(
    project: Project, source: int | _Latest, path: str, output: Path | None
) -> None:
    if isinstance(source, int):
        content = await project.get_artifact_file(source, path)
    else:
        content = await project.get_latest_artifact_file(
            source.ref, path, job=source.job, search_recent=source.search_recent
        )
    with atomic_file(output) if output else stdout_bytes() as out:
        out.write(content)


def _is_replaceable(output: Path) -> bool:
    # Pipes and devices cannot begin again after a lost connection.
    return output.is_file() or not output.exists()


async def _fetch_archive(
    project: Project, source: int | _Latest, output: Path | None, waiting: Progress
) -> None:
    if output is not None and _is_replaceable(output):
        if isinstance(source, int):
            await project.download_artifacts(source, output, progress=waiting.update)
        else:
            await project.download_latest_artifacts(
                source.ref,
                output,
                job=source.job,
                search_recent=source.search_recent,
                progress=waiting.update,
            )
        return
    stream = (
        project.stream_artifacts(source)
        if isinstance(source, int)
        else project.stream_latest_artifacts(
            source.ref, job=source.job, search_recent=source.search_recent
        )
    )
    # Requested first: after an error, no file is created or replaced.
    async with stream as chunks:
        with atomic_file(output) if output else stdout_bytes() as out:
            async for chunk in chunks:
                out.write(chunk)
                waiting.add(len(chunk))
