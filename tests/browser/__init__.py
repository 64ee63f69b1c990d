"""The pages as people meet them: in a real Chromium, through the gateway, on the whole platform."""
