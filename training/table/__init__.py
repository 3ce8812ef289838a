"""The papers' comparison."""
