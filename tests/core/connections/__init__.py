"""Promises about sign-in with others."""
