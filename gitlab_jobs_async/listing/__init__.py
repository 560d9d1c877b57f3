"""Exact listings under concurrent change: pagination strategies and their fetcher."""
