"""Where the face is, and the crop of it that holds still."""
