"""Registration's rules: pure, without clock, randomness or I/O."""
