"""The process that writes streams of events: server-sent events, and WebSocket."""
