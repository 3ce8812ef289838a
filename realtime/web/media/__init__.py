"""A visitor's pictures: track, clock, jitter buffer, session descriptions."""
