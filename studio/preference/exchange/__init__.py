"""What all label formats share: which labels are written, as what rows, and how files are written and read safely.

A format itself is a file of `studio.preference.formats`.
"""
