"""The live spotter on whole recordings of a database, scored as the grand challenges score."""
