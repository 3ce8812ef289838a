"""mer-web as its visitors get it: a real browser beside other work, and an hour of visitors good and bad."""
