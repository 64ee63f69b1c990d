"""Promises about the process that writes streams."""
