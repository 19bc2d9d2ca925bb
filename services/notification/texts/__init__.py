"""The texts of messages in every language: templates as data (``en.toml`` …), filled and laid out for one reader.

Templates are Jinja; plurals follow the language's CLDR rules, dates, times and numbers its locale (Babel). A new
template is a table in every ``.toml`` and a line in :data:`services.notification.domain.KINDS`.
"""

from services.notification.texts.catalogue import Rendered, Text, empty_inbox, render
from services.notification.texts.reader import Reader

__all__ = ["Reader", "Rendered", "Text", "empty_inbox", "render"]
