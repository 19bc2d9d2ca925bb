"""Stable matching of applicants with hosts that take several each.

Deferred acceptance with applicants proposing (Gale and Shapley, College Admissions and the Stability of Marriage,
1962), with incomplete lists: whoever is not on a list is not acceptable to its owner (Roth and Sotomayor, Two-Sided
Matching, 1990, chapter 5). All lists are strict, so the result is the one stable matching that is best for every
applicant, whatever the order of the input; and in every stable matching the same applicants stay without a host.
"""

import heapq
from collections.abc import Mapping, Sequence


def match(
    applicants: Mapping[str, Sequence[str]], hosts: Mapping[str, Sequence[str]], capacities: Mapping[str, int]
) -> dict[str, str]:
    """The host of each matched applicant.

    ``applicants`` and ``hosts`` give each side's acceptable partners, the most wanted first, without repeats;
    ``capacities`` how many a host takes at most.
    """
    ranks = {host: {applicant: rank for rank, applicant in enumerate(order)} for host, order in hosts.items()}
    held: dict[str, list[tuple[int, str]]] = {host: [] for host in hosts}
    proposals = {applicant: iter(order) for applicant, order in applicants.items()}
    free = list(applicants)
    while free:
        applicant = free.pop()
        for host in proposals[applicant]:
            rank = ranks.get(host, {}).get(applicant)
            if rank is None or capacities[host] < 1:
                continue
            # The least wanted of those who are held is on top.
            heapq.heappush(held[host], (-rank, applicant))
            if len(held[host]) > capacities[host]:
                free.append(heapq.heappop(held[host])[1])
            break
    return {applicant: host for host, taken in held.items() for _, applicant in taken}
