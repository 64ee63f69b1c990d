"""Who calls: an API key becomes a principal (envoy.service.auth.v3)."""
