"""Creation and changes of one project's pipelines; `Project` inherits all of it."""

from collections.abc import Mapping

from attrs import frozen

from gitlab_jobs_async import pipelines
from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode
from gitlab_jobs_async.api.parameters import Inputs, WaitUntil
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import check_deletion
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.values import printable
from gitlab_jobs_async.polling.policy import PollPolicy, poll_policy
from gitlab_jobs_async.project_pipelines import ProjectPipelines


@frozen(eq=False, repr=False)
class ProjectPipelineActions(ProjectPipelines):
    """Actions on pipelines.

    Unlike a GET, an action is sent again only where the first one surely had no effect.
    """

    async def create_pipeline(
        self,
        ref: str,
        *,
        variables: Mapping[str, str] | None = None,
        inputs: Inputs | None = None,
    ) -> Pipeline:
        """Create a pipeline for a branch or tag, and return it without waiting for it.

        *variables* are those of the pipeline, and *inputs* those that its configuration declares
        with `spec: inputs`, in GitLab 18.
        See https://docs.gitlab.com/api/pipelines/#create-a-new-pipeline.

        Raises:
            BadRequestError: the ref does not exist, its configuration is invalid or gives no job,
                or variables are not allowed.
        """
        request = endpoints.create_pipeline(self.id, ref, variables=variables, inputs=inputs)
        return await self._changed(request)

    async def run_pipeline(
        self,
        ref: str,
        *,
        variables: Mapping[str, str] | None = None,
        inputs: Inputs | None = None,
        until: WaitUntil = "finished",
        timeout: float | None = None,
        progress: "pipelines.PipelineProgress | None" = None,
        polling: PollPolicy | None = None,
    ) -> Pipeline:
        """Create a pipeline as `create_pipeline`, and wait for it as `wait_for_pipeline`.

        *progress* is called with the new pipeline first. The pipeline continues on the server if
        the wait fails, times out or is cancelled; a note of the error then has its web address.

        Raises:
            WaitTimedOutError: *timeout* seconds have passed since it was created.
        """
        how = pipelines.WaitOptions(timeout, poll_policy(polling, self._polls.policy), until)
        pipelines.check_progress(progress)
        request = endpoints.create_pipeline(self.id, ref, variables=variables, inputs=inputs)
        created = await self._changed(request)
        try:
            return await pipelines.wait_for_pipeline(
                self._transport, self._polls, self.id, created.id, how, progress
            )
        except BaseException as error:
            error.add_note(f"pipeline {created.id} was created: {printable(created.web_url)}")
            raise

    async def retry_pipeline(self, pipeline_id: int) -> Pipeline:
        """Retry the failed and canceled jobs of a pipeline, and return it.

        Each gets a new attempt with a new id. The status may still be the old one.
        See https://docs.gitlab.com/api/pipelines/#retry-jobs-in-a-pipeline.
        """
        return await self._changed(endpoints.retry_pipeline(self.id, pipeline_id))

    async def cancel_pipeline(self, pipeline_id: int) -> Pipeline:
        """Cancel the jobs of a pipeline and of its child pipelines, and return it.

        A finished pipeline is returned unchanged.
        See https://docs.gitlab.com/api/pipelines/#cancel-all-jobs-for-a-pipeline.
        """
        return await self._changed(endpoints.cancel_pipeline(self.id, pipeline_id))

    async def delete_pipeline(self, pipeline_id: int) -> None:
        """Delete a pipeline with its jobs, logs and artifacts; child pipelines stay.

        It needs an owner. See https://docs.gitlab.com/api/pipelines/#delete-a-pipeline.
        """
        request = endpoints.delete_pipeline(self.id, pipeline_id)
        check_deletion(await self._transport.send(request))

    async def _changed(self, request: Request) -> Pipeline:
        return decode(await self._transport.send(request), Pipeline, log_ignored_value)
