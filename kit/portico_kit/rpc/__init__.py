"""The way of every call: interceptors, composed once, in an order that is stated once."""
