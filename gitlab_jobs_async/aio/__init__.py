"""The pure core put on the network; the only tasks and connections are made in here."""
