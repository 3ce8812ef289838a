"""What the networks see of a clip, made once for training and live alike."""
