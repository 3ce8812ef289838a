"""Archives: thousands of recordings, one process a core, each as a run of its own."""
