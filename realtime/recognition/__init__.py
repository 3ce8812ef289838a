"""From decisions to named events: the queue, the engines, the revisions."""
