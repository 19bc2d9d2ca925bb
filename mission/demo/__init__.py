"""The story that ``make demo`` plays: one round of the Mission, from outside, through the platform's public doors.

It speaks to the gateway over HTTP, takes links out of delivered mails, and lets national platforms write with programs
of their own. It imports nothing of the services.
"""
