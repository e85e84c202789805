"""What was measured of a model that ships, and no config says."""

from __future__ import annotations

# Scales of plain guidance that leave the pictures whole: at most one in ten is read as broken by the world's oracle.
# Measured with `palimpsest evaluate claims-full --guidance-scale W --pictures 96`; assets/README.md has the numbers.
STENCIL_SCALES = (1.0, 4.0)
