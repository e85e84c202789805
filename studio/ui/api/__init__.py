"""The studio's services for programs: typed endpoints beside the page, for gradio_client and anything that speaks HTTP.

Nothing here waits: work is queued and asked after, so no number of clients can take the page's threads from it.
docs/api.md shows how they are used. A class for each subject; `build` exposes what their `methods` give.
"""
