"""The catalogue's HTTP door: reading for everyone, writing for editors."""
