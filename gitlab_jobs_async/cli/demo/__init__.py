"""The command `demo`: a tour of the SDK against a simulated GitLab in this process."""
