"""What notification does, by the words of the domain; the only room that opens a transaction."""
