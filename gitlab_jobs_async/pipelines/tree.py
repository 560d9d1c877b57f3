"""A pipeline with everything downstream of it, as a frozen tree in which each pipeline stands once.

Iterating over it keeps a list of what is to come, no stack of calls: it may be as deep as it likes.
"""

from collections.abc import Iterator

from attrs import field, frozen

from gitlab_jobs_async.errors import ResponseError
from gitlab_jobs_async.models.jobs import Bridge, Job, Pipeline


@frozen(kw_only=True)
class PipelineTree:
    """A pipeline, its jobs and what each of its trigger jobs led to, newest first."""

    pipeline: Pipeline
    jobs: tuple[Job, ...] = field(repr=lambda jobs: f"<{len(jobs)} jobs>")
    downstream: tuple["Downstream", ...] = field(repr=lambda led: f"<{len(led)} bridges>")

    @property
    def bridges(self) -> tuple[Bridge, ...]:
        """Its trigger jobs."""
        return tuple(led.bridge for led in self.downstream)

    def walk(self) -> Iterator["PipelineTree"]:
        """The tree itself and each one below it, a pipeline always before those it triggered."""
        to_come = [self]
        while to_come:
            tree = to_come.pop()
            yield tree
            below = [led.tree for led in tree.downstream if led.tree is not None]
            to_come.extend(reversed(below))

    def all_jobs(self) -> Iterator[Job]:
        """The jobs of this pipeline and of all below it; trigger jobs are not among them."""
        return (job for tree in self.walk() for job in tree.jobs)

    def unreadable(self) -> Iterator["Downstream"]:
        """What is missing in the tree because it may not be read, or is gone; each has an error."""
        return (led for tree in self.walk() for led in tree.downstream if led.error is not None)


@frozen(kw_only=True)
class Downstream:
    """A trigger job and what it led to.

    One of four things: `bridge.downstream_pipeline` is `None`, it has made no pipeline (yet);
    `tree`, that pipeline with all below it; `error`, why the server does not let it be read, a
    `PermissionDeniedError` or `NotFoundError`; or `is_repeated`, the tree has it at another place.
    """

    bridge: Bridge
    tree: PipelineTree | None = None
    error: ResponseError | None = None

    @property
    def is_repeated(self) -> bool:
        """Whether its pipeline stands elsewhere in the tree: above, or below another bridge."""
        made_one = self.bridge.downstream_pipeline is not None
        return made_one and self.tree is None and self.error is None
