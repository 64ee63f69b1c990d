"""Connections: sign-in with others."""
