"""Prepared sets: arrays and their index."""
