"""What people prefer: their answers, and what is learned from them. Needs no model."""
