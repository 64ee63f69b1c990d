"""The promises of the platform, kept through its public doors."""
