"""The suites, one file each or a few of a kind: importing this package registers them all."""

from studio.core.registry import import_folder
from studio.training.evaluate.cases import SUITES

__all__ = ["SUITES"]

import_folder(__name__)
