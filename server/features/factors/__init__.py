"""Second factors: how people show who they are, beside the password."""
