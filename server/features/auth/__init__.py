"""Registration, sign-in, sessions and signing keys."""
