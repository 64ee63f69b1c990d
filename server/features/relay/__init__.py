"""The relay: events on the operator's bus, Kafka or Redis Streams."""
