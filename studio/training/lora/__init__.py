"""Training of edits: one trainer for every loss, on a network that stays resident."""
