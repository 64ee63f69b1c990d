"""The gateway: what is generated, and how real Envoy behaves with it."""
