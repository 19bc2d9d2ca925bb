"""The rules of selection, pure: no input or output, no clock, no randomness of their own.

``selection`` chooses exactly, ``matching`` matches stably, ``cohort`` says how the two work together; ``programme`` is
the exact solver below them. ``rules`` and ``amendments`` judge rules of calls, ``eligibility`` and ``form`` judge
submissions, ``scoring``, ``quotas`` and ``outcomes`` turn rules into numbers and numbers into answers, ``states`` holds
every allowed step.
"""
