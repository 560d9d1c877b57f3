"""State and pending events of a monitor, kept across restarts."""
