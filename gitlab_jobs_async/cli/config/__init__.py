"""Server, token and certificates from flags, environment and configuration files."""
