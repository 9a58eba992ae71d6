"""Whether its answers and its documents explain themselves."""
