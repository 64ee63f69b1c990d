"""Promises about events."""
