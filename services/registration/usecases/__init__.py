"""What registration does: load, decide, save. The only room that opens transactions."""
