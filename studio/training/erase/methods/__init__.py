"""The methods of erasing, one file each: importing this package registers them all."""

from studio.core.registry import import_folder
from studio.training.erase.method import METHODS

__all__ = ["METHODS"]

import_folder(__name__)
