"""Load, decide, save: what people do with calls, and what follows from events and deadlines."""
