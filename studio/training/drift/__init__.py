"""How far models are from each other, in nats: a kind of job over pairs of (model, edits), and rows of a report."""
