"""The REST API as values: requests, responses, links, credentials, JSON decoding."""
