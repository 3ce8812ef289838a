"""TensorRT engines: built, kept on disk, loaded."""
