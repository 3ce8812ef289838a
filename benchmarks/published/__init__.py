"""``mer-bench published``: every reader, scheme and protocol at the published counts, on trees of rendered people."""
