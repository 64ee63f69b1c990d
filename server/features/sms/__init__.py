"""Text messages (SMS): who may get one, the outbox, the providers."""
