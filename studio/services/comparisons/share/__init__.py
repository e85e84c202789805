"""A comparison to give away: one HTML file, a contact sheet; read back, restored, and drawn again."""
