"""Request budget: the server's limits, fair queueing, and the request limiter."""
