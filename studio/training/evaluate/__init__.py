"""The one evaluator: suites of prompts, drawn under stacks of edits, read, kept, and counted. See job.py."""
