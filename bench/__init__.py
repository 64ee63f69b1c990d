"""Measures what a request costs: CPU time from the kernel's accounting, and latency."""
