"""Changes of the email address that a person signs in with."""
