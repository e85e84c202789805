"""The claims, a file per family of methods. Every setting was written down before a picture was looked at."""

from studio.core.registry import import_folder

import_folder(__name__)
