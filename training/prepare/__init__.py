"""From samples of a database to a prepared set."""
