# SPDX-License-Identifier: MIT
"""State that lives in memory only: a restart would lose it."""
HITS = [0]


def hit():
    HITS[0] += 1
