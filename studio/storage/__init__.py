"""What is kept: the workspace folder, its database, images by content, recipes inside PNG files."""
