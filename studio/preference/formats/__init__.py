"""Formats of labels: one file each, in the list by being here.

    from studio.preference.formats import FORMATS
    FORMATS.get("pickapic").write(labels, store.path, target)

None of them imports pyarrow before it reads or writes with it.
"""

from studio.core.registry import import_folder
from studio.preference.formats.base import FOLDER, FORMATS, Carried, Format, recognised

import_folder(__name__)

__all__ = ["FOLDER", "FORMATS", "Carried", "Format", "recognised"]
