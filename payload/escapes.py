# SPDX-License-Identifier: MIT
"""Texts that are not plain ASCII, for boot.py's JSON.  It is executed in the namespace of boot.py."""


class Escapes(dict):
    """What str.translate puts for each character that JSON in ASCII cannot hold; remembers what it was asked."""

    def __missing__(self, code):
        if code < 0x20 or 0x7f <= code < 0xd800 or 0xe000 <= code < 0x10000:
            text = '\\u%04x' % code
        elif code < 0x7f:
            text = chr(code)
        elif 0xdc80 <= code <= 0xdcff:       # a byte that could not be decoded: a private character that attach/ knows
            text = '\\udbf7\\u%04x' % code
        elif code < 0xe000:
            text = '\\ufffd'
        else:
            text = '\\u%04x\\u%04x' % (0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff))
        self[code] = text
        return text


def escaped(text):
    return text.translate(Escapes())
