"""Output for terminals and programs. Pure."""
