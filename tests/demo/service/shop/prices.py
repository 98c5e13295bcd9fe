# SPDX-License-Identifier: MIT
"""What things cost."""


def price(item):
    return {'tea': 4, 'coffee': 5}[item]
