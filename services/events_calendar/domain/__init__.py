"""Rules of the calendar, without I/O and without a clock of their own."""
