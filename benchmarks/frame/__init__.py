"""What one frame costs besides time, on any machine alike: calls of numpy and OpenCV, memory, page faults."""
