"""The core put on the network: aiohttp, asyncio and the clock.

- Below all: clock, concurrency, settings.
- One request: transport (admission, tls, connections, attempts, proxies, bodies, reading, failures,
  retrying); what is left out of an answer: oddities.
- Listings: listing, pipelines; waiting for an end: waiting.
- Logs: tailing (spooling), tailing_many (log_turns).
- Monitoring: monitoring is what a caller holds; rounds makes the looks (answering,
  token_checks, poll_slots), outbox keeps what they bring (checkpoints, checkpoint_file,
  checked_rows), monitored_logs adds the lines of jobs.
- Webhooks: receiving.
"""
