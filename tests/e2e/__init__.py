"""The page in Chromium. A package, unlike other folders of tests, for its fixtures of that scope: see conftest.py."""
