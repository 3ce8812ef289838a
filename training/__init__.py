"""What makes the bundles: datasets, synthesis, protocols, methods, evaluation, export."""
