"""Promises about the pages, in a real browser."""
