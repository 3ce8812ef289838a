"""A face of a photograph, and how its muscles move it."""
