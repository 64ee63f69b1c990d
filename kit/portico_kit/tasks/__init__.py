"""Background tasks: names, notification, retries, coalescing, failures."""
