"""Retry policy and outage tolerance."""
