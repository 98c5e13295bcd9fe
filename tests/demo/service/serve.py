# SPDX-License-Identifier: MIT
"""A small web shop that runs for months: plain Python, prepared for nothing.  python3 serve.py [PORT]"""
import http.server
import sys

from shop import counter, pages


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        counter.hit()
        body = pages.front().encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


if __name__ == '__main__':
    server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
