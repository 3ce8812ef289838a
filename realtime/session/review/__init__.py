"""The review page: a coder looks at a session's events, and decides."""
