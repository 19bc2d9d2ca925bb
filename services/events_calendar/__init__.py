"""Events calendar: public events of national platforms and our own, sessions that can be booked, and bookings.

It owns the calendar, the sessions with their seats and waiting lists, the bookings, and the guests who book without an
account. It judges what national platforms send, and answers each message with a receipt.

in: national-platforms.{platform}.events
in: national-platforms.directory
in: registration.cities
in: registration.accounts
in: registration.signing-keys
in: selection.participations
out: calendar.events
out: calendar.sessions
out: calendar.bookings
out: calendar.guests
out: national-platforms.{platform}.receipts
out: registration.links
out: city.tasks
"""
