"""Refusals of a whole request: GraphqlController#render_error."""

from gitlab_jobs_async.simulator.api.answers import ApiError, json_answer


def failure(status: int, message: str) -> ApiError:
    """Return a refusal in the form of a GraphQL error."""
    return ApiError(json_answer({"errors": [{"message": message}]}, status))
