"""Cohort selection: calls, applications, reviews, decisions, and the participations that come of them.

It owns calls with their versioned rules, applications with their free text, reviews, decisions and participations.

in: registration.cities
in: registration.countries
in: registration.memberships
in: registration.accounts
in: registration.signing-keys
out: selection.calls
out: selection.applications
out: selection.decisions
out: selection.participations
out: registration.links
out: city.tasks
"""
