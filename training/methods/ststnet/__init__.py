"""STSTNet, and many of them trained as one stack."""
