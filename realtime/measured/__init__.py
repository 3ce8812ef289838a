"""What is counted of a run and of its input while it runs: fixed sizes, no I/O."""
