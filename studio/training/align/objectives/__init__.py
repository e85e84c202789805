"""The objectives of preference, one file each: importing this package registers them all."""

from studio.core.registry import import_folder
from studio.training.align.objective import OBJECTIVES

__all__ = ["OBJECTIVES"]

import_folder(__name__)
