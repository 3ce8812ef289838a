"""The CUDA path, measured on a machine that has a card."""
