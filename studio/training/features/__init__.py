"""Features of pictures, which taste models learn on: computed by the engine in the background, and kept. See job.py."""
