"""Questions to a server about what the client assumes of GitLab, and the report of the answers."""
