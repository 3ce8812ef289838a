"""Who is trained on, who is tested, and how it is scored."""
