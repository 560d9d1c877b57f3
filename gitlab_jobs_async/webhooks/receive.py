"""Webhook deliveries as a receiver takes them: checked against the clock, oddities in the log."""

import logging
from collections.abc import Mapping

from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.errors import WebhookRejectedError
from gitlab_jobs_async.models.webhooks import JobHook, PipelineHook
from gitlab_jobs_async.webhooks.parser import receive
from gitlab_jobs_async.webhooks.signatures import Secrets, Tokens

_log = logging.getLogger("gitlab_jobs_async")

_LONGEST_DELIVERY = 100
"""Characters of a delivery's id in a warning; GitLab's are UUIDs."""


def parse_webhook(
    headers: Mapping[str, str],
    body: bytes,
    *,
    token: Tokens = None,
    signing_token: Tokens = None,
    tolerance: float = 300.0,
    now: float | None = None,
) -> JobHook | PipelineHook:
    """Return what a webhook delivery says, from a project's, a group's or a system's hook.

    *headers* are those of the request, their names in upper or lower case, and *body* its bytes as
    they were sent. *token* is the hook's secret token and *signing_token* its signing token, which
    begins with `whsec_`. Each one that is given must verify, and without either anybody can forge
    a delivery; while you replace a secret, give the old and the new one as a list. The time of a
    signed delivery must be within *tolerance* seconds of *now* (Unix seconds, by default the
    machine's clock); what comes twice within that time `Deliveries` knows.

    A value of another type than GitLab documents becomes `None` and a warning in the log; only ids
    and statuses are required.
    https://docs.gitlab.com/user/project/integrations/webhooks/

    Raises:
        HookRefusedError: with the `status` to answer: 401 for a secret, signature or time that is
            wrong or missing, 413 for more than 25 MB, 400 for what is no delivery, and 202 for an
            event of another kind.
        ValueError: *token* or *signing_token* can never match, or *tolerance* is not above 0.
        TypeError: *body* is not bytes, or a secret is not a string.
    """
    at = SystemClock().now() if now is None else now
    try:
        hook, odd = receive(headers, body, Secrets.of(token, signing_token, tolerance), at)
    except (WebhookRejectedError, TypeError, ValueError) as error:
        wrong = error.with_traceback(None)
    else:
        if odd.count:
            said = "; ".join(odd.told)
            # The sender chooses it, so that without a limit it could fill the log.
            delivery = (hook.delivery or "without an id")[:_LONGEST_DELIVERY]
            _log.warning("webhook %s: %d values left out: %s", delivery, odd.count, said)
        return hook
    # No traceback may show them; those of below had them, too.
    del headers, body, token, signing_token
    wrong.__context__ = None
    raise wrong
