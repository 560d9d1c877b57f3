"""Which webhook deliveries have come before: in bounded memory, by their `delivery`."""

from gitlab_jobs_async.models.webhooks import JobHook, PipelineHook


class SeenDeliveries:
    """Remembers the latest *most* deliveries, and knows those that come again.

    They are known by the `webhook-id` that is signed, or by GitLab's Idempotency-Key. For a replay
    to be noticed, *most* must be more than come within the *tolerance* of `read_hook`.

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
        """Whether this delivery was asked about before; from now on it was.

        One without a key, as older servers send it, is never a repeat.
        """
        key = hook.delivery
        if key is None:
            return False
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > self._most:
            del self._seen[next(iter(self._seen))]
        return False
