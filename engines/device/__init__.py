"""The same on a CUDA device, in torch."""
