"""Promises about proven domains."""
