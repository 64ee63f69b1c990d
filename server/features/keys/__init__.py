"""API keys: the example feature."""
