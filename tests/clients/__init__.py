"""Clients that others have made, unmodified, against the OAuth server."""
