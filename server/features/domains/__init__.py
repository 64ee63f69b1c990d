"""Domains: what organizations have proven to be theirs."""
