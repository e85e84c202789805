"""Campaigns on the Label tab: made, drawn, looked after.

form.py        what stands in the fields, as what is asked and what is drawn
layout.py      the components
batch.py       picture files that were uploaded, until a campaign is made of them
files_html.py  what came of such files
list_html.py   the campaigns there are
detail_html.py what the answers of one say
taste_html.py  what was learned of them
pieces.py      buttons and pictured labels of these two
handlers.py    what happens
"""
