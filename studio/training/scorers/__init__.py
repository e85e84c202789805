"""Rewards by name: what gives a number to a picture and its prompt. See base.py; a file for each of them."""
