"""The bundled clip and its truth."""
