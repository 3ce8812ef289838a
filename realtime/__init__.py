"""What runs live: camera frames in, micro-expression events out."""
