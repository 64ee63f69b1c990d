"""What the core publishes in Valkey and the edge reads."""
