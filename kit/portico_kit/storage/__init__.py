"""The database: base of the models, keyed reads, outbox, audit log, kept answers."""
