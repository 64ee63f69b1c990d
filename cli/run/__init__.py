"""`portico run`: every process of the platform as a child of one supervisor."""
