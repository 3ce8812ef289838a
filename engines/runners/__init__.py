"""Backends that run a bundle; a vendor's import stands in its runner's file alone."""
