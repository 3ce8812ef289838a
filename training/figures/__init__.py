"""Figures of sets, networks and sweeps, one file each."""
