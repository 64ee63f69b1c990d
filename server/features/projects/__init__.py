"""Projects: the parts of an organization's work."""
