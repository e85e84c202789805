"""The Align part of the Label tab: labels trained into an edit, with curves, and the edit tested blind.

`form` reads what was asked for, `past` shows what is being trained and what was, `handlers` does things.
"""
