"""Helpers that tests of more than one folder use."""
