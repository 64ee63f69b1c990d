"""How much is left: every window of a request decided at once (envoy.service.ratelimit.v3)."""
