"""One visitor's connection, from the offer to the end that frees everything."""
