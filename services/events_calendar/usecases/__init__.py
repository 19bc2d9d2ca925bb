"""What the calendar does: load, decide, save. The only room that opens a transaction."""
