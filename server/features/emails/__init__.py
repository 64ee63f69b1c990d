"""Sending mails: templates, messages, SMTP."""
