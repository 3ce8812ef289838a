"""``mer-live``: the front door, its options and its commands."""
