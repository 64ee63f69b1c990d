"""Sending deliveries to the webhooks of our customers."""
