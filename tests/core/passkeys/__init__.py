"""Promises about passkeys."""
