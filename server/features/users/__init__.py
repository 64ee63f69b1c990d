"""Accounts and profiles."""
