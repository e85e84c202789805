"""The Stencil world: scenes of coloured objects, drawn exactly, described in words and read back from pixels.

Coordinates are fractions of the picture's width, x to the right and y down, so a scene has no resolution.
"""
