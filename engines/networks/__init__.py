"""The networks, each an nn.Module that reads like its paper."""
