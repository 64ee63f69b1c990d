"""/account/security and below: the second factors of a person, and the recovery codes."""
