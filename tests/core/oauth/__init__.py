"""Promises about the OAuth server."""
