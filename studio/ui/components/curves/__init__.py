"""Curves of named measures: on the page, in both themes and at any width, and to take away as PNG and CSV.

panel.py says what is drawn, svg.py draws it on the page, paper.py for taking away; job.py has the measures of a job,
over or running. marks.py has the colours and lines by which several things are told apart.
"""
