"""The part of the Label tab where strengths and guidance are tuned by votes.

form.py: what is tuned, and from where. list_html.py: the tunings there are. curves.py: what is known of each number.
handlers.py: what happens between them; studio/ui/label/parts/tuning.py lays them out.
"""
