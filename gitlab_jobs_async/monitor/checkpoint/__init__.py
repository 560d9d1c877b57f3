"""Keep the state and the pending events of a monitor across restarts."""
