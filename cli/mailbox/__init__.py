"""The development mailbox: takes every mail that is sent and shows it. Never for production."""
