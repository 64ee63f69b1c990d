"""The gRPC core: one folder a feature, the same file names in each."""
