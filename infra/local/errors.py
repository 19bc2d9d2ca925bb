"""The one error that the local platform shows to a person."""


class LocalError(Exception):
    """Something on this machine stops the platform. The message is one sentence that says what to do."""


class NotOurs(LocalError):
    """What runs elsewhere cannot be ended from here."""
