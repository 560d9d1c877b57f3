"""Deduplicate webhook deliveries by their `delivery`, in bounded memory."""

from gitlab_jobs_async.models.webhooks import JobHook, PipelineHook


class SeenDeliveries:
    """The latest *most* deliveries, to recognize repeats.

    A delivery is identified by the signed `webhook-id`, or by GitLab's Idempotency-Key. To detect
    replays, *most* must exceed the deliveries within the *tolerance* of `parse_webhook`.

    Raises:
        ValueError: *most* is less than 1.
    """

    def __init__(self, most: int = 10_000) -> None:
        if most < 1:
            raise ValueError(f"most must be at least 1, not {most!r}")
        self._most = most
        self._seen: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def is_repeat(self, hook: JobHook | PipelineHook) -> bool:
        """Return whether this delivery was seen before, and remember it.

        A delivery without a key, as older servers send it, is never a repeat.
        """
        key = hook.delivery
        if key is None:
            return False
        if key in self._seen:
            return True
        self._seen[key] = None
        # A dict keeps the order of insertion, so the first key is the oldest.
        if len(self._seen) > self._most:
            del self._seen[next(iter(self._seen))]
        return False
