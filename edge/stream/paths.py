"""Where streams are served. The gateway makes its routes of it."""

from __future__ import annotations

# The method whose REST form this process answers, in place of the transcoder.
STREAM_EVENTS = "portico.events.v1.EventService.StreamEvents"
WEBSOCKET_PATH = "/ws"
