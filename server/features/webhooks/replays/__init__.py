"""Replays: past events of an organization, sent to one of its webhooks again."""
