"""Promises about resets of factors."""
