"""What several features of the core use and no other process needs."""
