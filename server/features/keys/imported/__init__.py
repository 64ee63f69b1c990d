"""Keys that another system made: import, lookup, adoption at the first use."""
