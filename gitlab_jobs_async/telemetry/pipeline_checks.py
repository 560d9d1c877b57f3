"""Request the pipelines that may have ended, one after another."""

from collections.abc import Callable

from attrs import frozen

from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.telemetry.pipeline_series import SETTLING, PipelineSeries


@frozen(eq=False)
class PipelineChecks:
    """Requests of *gitlab* for *pipelines*; *store* is called after each answer."""

    gitlab: GitLab
    pipelines: PipelineSeries
    clock: Clock
    store: Callable[[], None]

    async def run(self) -> None:
        """Request each pipeline at its time, without end.

        Raises:
            StoreError: an answer cannot be stored.
        """
        while True:
            now = self.clock.now()
            if (number := self.pipelines.due(now)) is not None:
                await self._check(number)
                self.store()
            else:
                # An event meanwhile asks for a request no earlier than this.
                await self.clock.sleep(min(self.pipelines.next_at() - now, SETTLING))

    async def _check(self, number: int) -> None:
        project = self.gitlab.project(self.pipelines.unfinished[number].project_id)
        try:
            answer = await project.get_pipeline(number)
        except GitLabError as error:
            self.pipelines.on_error(number, error, self.clock.now())
        else:
            self.pipelines.on_pipeline(answer, self.clock.now())
