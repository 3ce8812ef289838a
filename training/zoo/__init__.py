"""The shipped bundles, made."""
