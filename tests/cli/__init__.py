"""Promises of the `portico` command."""
