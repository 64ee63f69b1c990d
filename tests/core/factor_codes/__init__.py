"""Promises about codes by mail and by SMS."""
