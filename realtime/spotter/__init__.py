"""Which movements are micro-expressions: region displacements in, decisions out."""
