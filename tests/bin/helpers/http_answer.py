"""http_answer.py PORT-FILE REQUEST-FILE STATUS BODY [CERTIFICATE]: answers every request alike, over TLS with a certificate.

Writes its port's number to one file, the body of each request to the other."""

import http.server
import os
import ssl
import sys

port_file, request_file, status, body = sys.argv[1:5]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        received = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(request_file, "wb") as file:
            file.write(received)
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 5:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[5])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(port_file + ".new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(port_file + ".new", port_file)
server.serve_forever()
