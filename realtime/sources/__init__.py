"""Where frames come from: cameras, files, streams, pictures, memory."""
