"""The columns of the files of an archive. Pure."""

from typing import Final

from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.rows import size
from gitlab_jobs_async.models.artifacts import ArtifactEntry

ENTRY_DEFAULT: Final = ("path", "type", "size")
ENTRY_TABLE: Final = ("path", "size")

ENTRY_COLUMNS: Final[tuple[Column[ArtifactEntry], ...]] = (
    Column(name="path", plain=lambda entry: entry.path),
    Column(name="name", plain=lambda entry: entry.name),
    Column(name="type", plain=lambda entry: entry.type, is_whole=True),
    Column(
        name="size",
        plain=lambda entry: entry.size,
        shown=lambda entry, _: "" if entry.size is None else size(entry.size),
        justify="right",
        is_whole=True,
    ),
    Column(name="mode", plain=lambda entry: entry.mode, is_whole=True),
)
