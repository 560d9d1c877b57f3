"""When to poll which target."""
