"""What pictures show, read once each by the engine and kept by the hash of their file. See job.py."""
