"""Domain adaptation on handcrafted features, as CDMER compares it: one published method a file."""
