"""Shell completion: commands, options, and names that a server knows, within a second."""
