"""The catalogue's rules: how an entry becomes public, and how entries are found. No I/O, no clock."""
