"""The `portico` command: starts, shows and maintains the platform."""
