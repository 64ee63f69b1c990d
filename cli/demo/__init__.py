"""`portico demo`: the tour of the platform, played against the running one."""
