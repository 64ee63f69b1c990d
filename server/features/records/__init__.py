"""The events, the audit log and the kept answers: when they are over."""
