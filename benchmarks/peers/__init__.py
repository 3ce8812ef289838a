"""What a user might pick instead."""
