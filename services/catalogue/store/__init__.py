"""What the catalogue keeps, and the copy of its public part that readers are answered from."""

from services.catalogue.store.documents import ALIASES, COLLECTIONS, ENTRIES, Alias, EntryRecord
from services.catalogue.store.live import LiveShelf

__all__ = ["ALIASES", "COLLECTIONS", "ENTRIES", "Alias", "EntryRecord", "LiveShelf"]
