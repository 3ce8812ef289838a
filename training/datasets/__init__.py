"""Readers for the micro- and macro-expression databases."""
