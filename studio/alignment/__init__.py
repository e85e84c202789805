"""Objectives that pull a model towards what people prefer: pure losses over errors of predictions, one to a file."""
