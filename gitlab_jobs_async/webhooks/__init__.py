"""Webhook deliveries: verification, parsing and deduplication."""
