"""One reader a database."""
