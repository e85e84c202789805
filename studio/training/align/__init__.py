"""Alignment: from people's labels to the training of an edit that draws what they prefer."""
