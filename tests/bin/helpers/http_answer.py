"""http_answer.py FOLDER [CERTIFICATE]: answers requests as FOLDER/answer says, over TLS with a certificate.

The first line of that file is the status, the rest the body. Writes its port's number to FOLDER/port, and the body of each
request to FOLDER/request. Ends when its parent has."""

import http.server
import os
import pathlib
import ssl
import sys
import threading
import time

folder = pathlib.Path(sys.argv[1])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        received = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        (folder / "request").write_bytes(received)
        status, _, body = (folder / "answer").read_bytes().partition(b"\n")
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST


parent = os.getppid()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
(folder / "port.new").write_text(str(server.server_address[1]))
(folder / "port.new").rename(folder / "port")
while os.getppid() == parent:
    time.sleep(0.5)
