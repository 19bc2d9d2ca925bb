"""The steps of the story, one module each."""
