"""The command `demo`: one tour against a simulated GitLab in this process."""
