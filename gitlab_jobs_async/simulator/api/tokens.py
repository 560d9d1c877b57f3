"""The token of the caller; follows lib/api/personal_access_tokens/self_information.rb."""

from datetime import UTC, datetime
from typing import Final

from gitlab_jobs_async.simulator.api.answers import Answer, bad_request, error, json_answer
from gitlab_jobs_async.simulator.api.calls import Call, Route
from gitlab_jobs_async.simulator.api.runner_entities import iso
from gitlab_jobs_async.simulator.records import Token

_WRONG_KIND: Final = "This endpoint requires token type to be a personal access token"


def own_token(call: Call) -> Answer:
    """Answer GET /personal_access_tokens/self, also for tokens of projects and groups."""
    if not call.settings.features.own_token:
        raise error(404, "404 Not Found")
    token = call.identity.token if call.identity else None
    if token is None or token.kind == "oauth":
        raise bad_request(_WRONG_KIND)
    return json_answer(_entity(call, token))


def _entity(call: Call, token: Token) -> dict[str, object]:
    ends = token.expires_at
    number = 1 + list(call.world.registry.tokens).index(token.value)
    return {
        "id": number,
        "name": f"{token.kind} {number}",
        "revoked": token.revoked,
        "created_at": iso(token.user.created_at),
        "description": None,
        "scopes": list(token.scopes),
        "user_id": token.user.id,
        "last_used_at": iso(call.now),
        "active": True,
        "expires_at": None
        if ends is None
        else datetime.fromtimestamp(ends, UTC).date().isoformat(),
    }


ROUTES: Final = (Route("GET", "personal_access_tokens/self", own_token, scopes=("*",)),)
