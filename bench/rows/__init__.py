"""One module per claim; each says what it compares."""
