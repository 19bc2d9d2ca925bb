"""The HTTP door of cohort selection: calls, applications, reviews, decisions, participations and mailed links."""
