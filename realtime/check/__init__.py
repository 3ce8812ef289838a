"""``mer-live --check``: what a recording or camera is good for, and whether this machine is ready."""
