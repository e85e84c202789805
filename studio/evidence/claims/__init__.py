"""The claims, a file per family of methods. Every setting was written down before its pictures were drawn."""

from studio.core.registry import import_folder

import_folder(__name__)
