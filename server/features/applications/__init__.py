"""Applications: the OAuth 2.1 clients of organizations."""
