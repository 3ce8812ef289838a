"""What computes: flow, representations, networks, runners, model bundles."""
