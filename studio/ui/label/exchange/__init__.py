"""Import and export on the Label tab: labels of other tools in, labels out for others.

form.py       what stands in the fields
layout.py     the components
uploads.py    files of a set of labels on their way in
routes.py     addresses: a file that comes in, how far it is, what can be fetched
runs_html.py  what is under way, and what came of it
handlers.py   what happens
files.js      sends files, one after the other, with their places in a folder
runs.js       follows what is under way
"""
