"""What to ask GitLab and what the answers mean: no await, no clock, no randomness, no aiohttp.

- Requests: endpoints, arguments, requests, urls, servers, credentials, tls, redirects, retrying.
- Answers: responses, decoding (strict, exact), compression, sizes, links; and back to JSON:
  recording.
- The request budget: budget, limits, limit_headers, windows, pauses, turns.
- Listings: walks; paging by keyset (keyset_pages, coverage, cursors, made_cursors, spread),
  offsets, and looks without order.
- Traces: trace, cadence, rhythm, patience; their lines: line_reader, logs, records, splitting,
  sections, ansi, encodings.
- Waiting for one job or pipeline: waiting; what is downstream of a pipeline: hierarchy.
- Watching: watches begins them; watching is one project (known_jobs, ledger, looking, reach,
  parking, revivals, bridging, comparing), watching_one a pipeline or a job; all have inquiries,
  timing, pace and reachability, notice a restored server (resets, id_history), and are resumed by
  progress. rota says whose turn it is, target_index what a webhook is about, shared_pace what of
  the budget each monitor has, expecting what all of it comes to, announcing what a monitor tells of
  itself.
- Webhooks: webhooks (signatures, tolerant), deliveries.
"""
