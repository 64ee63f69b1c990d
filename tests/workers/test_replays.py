"""Promises about replays: each event once, in steps that may break off, and never before live ones."""
