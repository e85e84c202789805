"""What a user can do with edits besides applying them."""
