"""What the features share and that knows none of them."""
