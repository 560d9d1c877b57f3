"""Rendering for terminals and pipes. Pure."""
