"""Registration: people and their accounts, cities and who speaks for them, rights, places, and the onboarding steps.

It owns people, sessions and signing keys, cities, memberships, grants, countries and the directory of places. It signs
the access tokens that every other service verifies. The topic of cities' tasks is its own too; so far the other
services write to it.

in: city.tasks
in: calendar.bookings
in: calendar.guests
in: registration.signing-keys
out: registration.cities
out: registration.people
out: registration.accounts
out: registration.memberships
out: registration.grants
out: registration.countries
out: registration.signing-keys
out: registration.links
out: city.tasks
"""
