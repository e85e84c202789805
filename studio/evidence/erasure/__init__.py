"""What erasures do on Stencil, by method and concept: every edit made, carded, and put on a page beside the others."""
