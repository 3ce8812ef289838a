"""How well the spotter spots."""
