"""Changes to the body of a GraphQL answer that no healthy server makes, for `Fault`."""

import orjson


def without_projects(body: bytes, *, every: int) -> bytes:
    """Remove every nth project from the answer of a query for `projects`."""
    answer = orjson.loads(body)
    found = (answer.get("data") or {}).get("projects") or {}
    for name in ("nodes", "edges"):
        if isinstance(found.get(name), list):
            found[name] = [row for n, row in enumerate(found[name], 1) if n % every]
    return orjson.dumps(answer)


def with_reversed_nodes(body: bytes) -> bytes:
    """Reverse every list of nodes or edges in an answer."""
    return orjson.dumps(_reversed(orjson.loads(body)))


def _reversed(value: object) -> object:
    if isinstance(value, list):
        return [_reversed(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _reversed(inner[::-1] if name in {"nodes", "edges"} and inner else inner)
        for name, inner in value.items()
    }
