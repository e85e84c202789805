"""From the procedural world to the weights of Stencil: one file per stage, resumable at any time.

Order: autoencoder, judge (the oracle's network), text, denoiser, clip; then evaluate prints the gates.
"""
