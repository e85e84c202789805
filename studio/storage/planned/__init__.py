"""What campaigns are to ask once it is drawn.

records.py    what is read: planned items, and how far a campaign is
items.py      planned items and the recipes of their pictures: written, read, settled
progress.py   what is drawn of them, by which jobs, and what is asked
"""
