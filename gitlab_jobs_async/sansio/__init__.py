"""What to ask GitLab and what its answers mean; no await, clock, randomness or aiohttp in here."""
