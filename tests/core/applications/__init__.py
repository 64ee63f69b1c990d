"""Promises about applications."""
