"""Promises about changes of the address that somebody signs in with."""
