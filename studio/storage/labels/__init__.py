"""Labels as a workspace keeps them: campaigns, items, who is asked what, and an append-only log of answers.

campaigns.py    what is asked, of whom, how often
annotators.py   who answers
items.py        questions: pictures of one prompt, and prompts
foreign.py      pictures that were brought along
leases.py       which question a person gets next, and for how long it is theirs
log.py          answers, and what takes them back: rows that are only ever added
reading.py      the log as labels, however long it is
counts.py       how many there are, from indices
pool.py         all pictures of a campaign, for further pairs of them
snapshots.py    what a training learns from, frozen
store.py        all of these together

Times are the clock's, which may jump; order is that of numbers, which do not.
"""
