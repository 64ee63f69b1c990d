"""The wire formats of OAuth 2.1 and OpenID Connect: what the core decides, in standard form."""
