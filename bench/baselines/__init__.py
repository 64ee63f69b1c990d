"""What ours is held against, in the same run on the same machine."""
