"""Whether the platform lives and can work."""
