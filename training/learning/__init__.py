"""Training loops, losses and first weights that methods share."""
