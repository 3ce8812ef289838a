"""How the face moves: points tracked from crop to crop, the head taken away."""
