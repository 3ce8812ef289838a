"""The spotter's coefficients, made."""
