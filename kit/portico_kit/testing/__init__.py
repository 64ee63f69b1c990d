"""What tests of a service need, ours and those of other teams: clocks, waiting, ports, a core."""
