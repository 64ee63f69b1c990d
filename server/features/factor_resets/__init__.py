"""Resets of second factors by administrators."""
