"""Live weight edits: one format, three ways to apply it, import and export.

What an edit is and how it is stored: `manifest`, `format`, `files`. Values: `stack`. Applying: `room` is what others
use; behind it `merged` (sliders), `rows` (comparisons) and `pointer` (on and off). Foreign files:
`importing` and `exporting`. `header`, `manifest`, `layout` and `keys` are light and leave torch alone.

Nothing here ever fuses and unfuses: weights are always composed from the pristine W0, which is kept for every tensor
that was touched. So an empty stack is the base bit for bit, after any history, in every dtype.
"""
