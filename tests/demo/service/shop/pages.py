# SPDX-License-Identifier: MIT
"""What visitors see."""
import os

from shop.counter import HITS
from shop.prices import price


def front():
    return 'Tea costs %d, coffee %d. Visit %d in process %d.\n' % (price('tea'), price('coffee'), HITS[0], os.getpid())
