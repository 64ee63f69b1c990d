"""OpenID Connect and OAuth as a client: it knows providers, and neither accounts nor rows."""
