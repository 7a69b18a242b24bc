"""What makes the network fast on a CPU; no chapter needs to read it."""
