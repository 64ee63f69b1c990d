"""What the gateway asks, and what makes its configuration."""
