"""Promises about the house itself: what it is made of, and who may know whom."""
