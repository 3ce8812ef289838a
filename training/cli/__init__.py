"""``mer-train``: one file a command."""
