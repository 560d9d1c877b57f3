"""The artifacts of a job: https://docs.gitlab.com/api/job_artifacts/."""

from attrs import frozen


@frozen(kw_only=True)
class ArtifactsFile:
    """The artifacts archive of a job: lib/api/entities/ci/job_artifact_file.rb.

    Attributes:
        filename: such as "artifacts.zip".
        size: bytes.
    """

    filename: str
    size: int = 0


@frozen(kw_only=True)
class Artifact:
    """A stored file of a job: lib/api/entities/ci/job_artifact.rb.

    Attributes:
        file_type: "archive", "metadata", "trace" (the stored log), or the type of a report.
        size: bytes.
        filename: such as "job.log".
        file_format: "zip", "gzip", "raw", or None.
    """

    file_type: str
    size: int = 0
    filename: str = ""
    file_format: str | None = None


@frozen(kw_only=True)
class ArtifactEntry:
    """A file or directory in an archive: lib/api/entities/ci/job_artifact_entry.rb.

    Attributes:
        name: the last part of *path*.
        path: within the archive.
        type: "file" or "directory".
        size: bytes; None for a directory.
        mode: permissions as in a file system, such as "100644"; None from older releases.
    """

    name: str
    path: str
    type: str
    size: int | None = None
    mode: str | None = None
