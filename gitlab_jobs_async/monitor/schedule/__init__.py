"""Decide when each target is polled."""
