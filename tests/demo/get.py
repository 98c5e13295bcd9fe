# SPDX-License-Identifier: MIT
"""What curl does, for machines without it.  python3 get.py URL"""
import sys
import urllib.request

with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=10) as answer:
    sys.stdout.write(answer.read().decode())
