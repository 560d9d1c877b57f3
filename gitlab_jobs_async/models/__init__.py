"""GitLab's values as frozen attrs classes. They know nothing of JSON or the network."""
