"""Job logs: trace polling, parsing into lines, and merging of many logs."""
