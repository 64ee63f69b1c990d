"""Events: what happened in an organization, as a list and as a stream that loses nothing."""
