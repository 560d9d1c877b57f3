"""State of one watched target: which queries to send, and which events follow."""
