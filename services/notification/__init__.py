"""Notification: who is told what, in which language, by mail and in the portal's inbox, and what became of it.

It owns messages, their delivery, and the inbox of every person. It keeps copies of what it needs to say who is
concerned and where they are reached; a person's copies go when the person is erased.

in: calendar.bookings
in: calendar.guests
in: calendar.sessions
in: city.tasks
in: registration.accounts
in: registration.cities
in: registration.grants
in: registration.links
in: registration.memberships
in: registration.people
in: registration.signing-keys
in: selection.applications
in: selection.calls
in: selection.decisions
in: selection.participations
out: notification.messages
"""
