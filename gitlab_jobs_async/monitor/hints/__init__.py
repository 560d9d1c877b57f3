"""Hints by GraphQL: which of many projects have changed, asked for in one request."""
