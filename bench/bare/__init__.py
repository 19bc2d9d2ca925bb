"""The baselines: the libraries alone, with the same payload, acknowledgements and durability as the platform's side."""
