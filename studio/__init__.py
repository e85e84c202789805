"""Palimpsest: prompt, erase, label, align and compare text-to-image diffusion models, on models that stay loaded.

Importing this package imports nothing else. The parts and the one way their arrows point: docs/design/0001.
"""

__version__ = "0.1.0"
