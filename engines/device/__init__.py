"""Flow, representations and networks on a CUDA device, in torch."""
