"""GitLab's REST API over a World, pure: a Request in, an Answer out. Never imports the network."""
