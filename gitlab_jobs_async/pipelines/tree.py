"""A pipeline with everything downstream, as a frozen tree that has each pipeline once."""

from collections.abc import Iterator

from attrs import field, frozen

from gitlab_jobs_async.errors import ResponseError
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import Pipeline


@frozen(kw_only=True)
class PipelineTree:
    """A pipeline, its jobs and its trigger jobs with their downstream pipelines, newest first."""

    pipeline: Pipeline
    jobs: tuple[Job, ...] = field(repr=lambda jobs: f"<{len(jobs)} jobs>")
    downstream: tuple["Downstream", ...] = field(repr=lambda items: f"<{len(items)} bridges>")

    @property
    def bridges(self) -> tuple[Bridge, ...]:
        """The trigger jobs of the pipeline."""
        return tuple(item.bridge for item in self.downstream)

    def walk(self) -> Iterator["PipelineTree"]:
        """Yield this tree and each one below it, a pipeline before those that it triggered."""
        # Without recursion: the tree may be deeper than the stack.
        stack = [self]
        while stack:
            tree = stack.pop()
            yield tree
            below = [item.tree for item in tree.downstream if item.tree is not None]
            stack.extend(reversed(below))

    def all_jobs(self) -> Iterator[Job]:
        """Yield the jobs of this pipeline and of all below it, without trigger jobs."""
        return (job for tree in self.walk() for job in tree.jobs)

    def unreadable(self) -> Iterator["Downstream"]:
        """Yield the trigger jobs whose pipelines could not be read; each has an `error`."""
        return (item for tree in self.walk() for item in tree.downstream if item.error is not None)


@frozen(kw_only=True)
class Downstream:
    """A trigger job and its downstream pipeline.

    One of four is true: `bridge.downstream_pipeline` is `None`, as no pipeline was created yet;
    `tree` is the pipeline with everything below it; `error` is why it cannot be read, a
    `PermissionDeniedError` or `NotFoundError`; or `is_repeated`, as the tree has it elsewhere.
    """

    bridge: Bridge
    tree: PipelineTree | None = None
    error: ResponseError | None = None

    @property
    def is_repeated(self) -> bool:
        """Whether its pipeline is elsewhere in the tree: above, or below another bridge."""
        has_pipeline = self.bridge.downstream_pipeline is not None
        return has_pipeline and self.tree is None and self.error is None
