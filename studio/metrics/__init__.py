"""Measures: tensors and plain numbers in, numbers out. No model, no file, no world is known here.

A share or a mean goes out with its interval (intervals.py); pictures come in as [B, 3, H, W] in 0..1, rounded to
uint8 before where they are compared with stored ones.
"""
