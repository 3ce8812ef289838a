"""From a trained method to a bundle that runs live."""
