"""The filter of the tree: words that a user types. Pure."""

from attrs import frozen

from gitlab_jobs_async.cli.fullscreen.overview import Entry
from gitlab_jobs_async.cli.views.board import JobRow


@frozen
class Query:
    """Words of a filter; each must be in a job's texts, or its id or that of its pipeline.

    Case does not matter.
    """

    words: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Query":
        """Return the query of a line that a user has typed."""
        return cls(tuple(text.lower().split()))

    def matches(self, project: str, row: JobRow) -> bool:
        """Return whether a job passes."""
        job = row.job
        texts = (job.name, job.status, job.stage, job.ref, job.failure_reason or "", project)
        text = " ".join(texts).lower()
        # Only as a whole: most ids contain most digits.
        ids = (str(job.id), str(job.pipeline.id), f"#{job.pipeline.id}")
        return all(word in text or word in ids for word in self.words)

    def matches_listed(self, entry: Entry) -> bool:
        """Return whether a pipeline passes whose jobs are not known."""
        if entry.row is not None:
            return False
        pipeline = entry.pipeline
        ref = "" if pipeline is None else pipeline.ref or ""
        text = f"{entry.status} {ref} {entry.project}".lower()
        return all(word in text or word in {str(entry.id), f"#{entry.id}"} for word in self.words)
