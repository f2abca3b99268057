"""What bench.py and verify.py share: starting programs, reading /proc, and running the load generator."""
