"""Receive webhook deliveries: verify them by the clock and log ignored values."""

import logging
from collections.abc import Mapping

from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.errors import WebhookRejectedError
from gitlab_jobs_async.models.webhooks import JobHook, PipelineHook
from gitlab_jobs_async.webhooks.parser import receive
from gitlab_jobs_async.webhooks.signatures import Secrets, Tokens

_log = logging.getLogger("gitlab_jobs_async")

# Characters of a delivery's id in a warning; GitLab's are UUIDs.
_MAX_ID = 100


def parse_webhook(
    headers: Mapping[str, str],
    body: bytes,
    *,
    token: Tokens = None,
    signing_token: Tokens = None,
    tolerance: float = 300.0,
    now: float | None = None,
) -> JobHook | PipelineHook:
    """Return the `JobHook` or `PipelineHook` of a project, group or system webhook delivery.

    *headers* are the request's headers, in upper or lower case, and *body* its bytes as sent.
    *token* is the hook's secret token, *signing_token* its signing token, which starts with
    `whsec_`. Each given secret must verify; without any, a delivery can be forged. While you
    replace a secret, pass the old and the new one as a list. A signed delivery must be within
    *tolerance* seconds of *now* (Unix seconds, by default the system clock). `SeenDeliveries`
    detects repeats within that time.

    A value of an undocumented type becomes None, with a warning in the log. Only ids and statuses
    are required.
    https://docs.gitlab.com/user/project/integrations/webhooks/

    Raises:
        WebhookRejectedError: with the `status` to answer. 401: a wrong or missing secret, signature
            or time. 413: more than 25 MB. 400: an invalid delivery. 202: an event of another kind.
        ValueError: a secret can never match, or *tolerance* is not above 0.
        TypeError: *body* is not bytes, or a secret is not a string.
    """
    at = SystemClock().now() if now is None else now
    try:
        hook, ignored = receive(headers, body, Secrets.of(token, signing_token, tolerance), at)
    except (WebhookRejectedError, TypeError, ValueError) as error:
        wrong = error.with_traceback(None)
    else:
        if ignored.count:
            reasons = "; ".join(ignored.reasons)
            # The sender chooses the id, which could fill the log without a limit.
            delivery = (hook.delivery or "without an id")[:_MAX_ID]
            _log.warning("webhook %s: ignored %d values: %s", delivery, ignored.count, reasons)
        return hook
    # Error reporters collect locals: no traceback may show the secrets, here or in a callee.
    del headers, body, token, signing_token
    wrong.__context__ = None
    raise wrong
