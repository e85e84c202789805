"""The Prompt tab in parts, one subject a file: each lays itself out and wires itself. `tabs/prompt.py` joins them."""
