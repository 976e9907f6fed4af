"""moto's server, with nothing in it at the beginning of each case. It is driven from outside, over HTTP."""

import logging
from urllib.request import Request, urlopen

from answering import answer
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
servers = []


def fresh():
    if servers:
        url = "http://{}:{}".format(*servers[0].get_host_and_port())
        urlopen(Request(url + "/moto-api/reset", method="POST")).close()
        return url
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    servers.append(server)
    return fresh()


def stop():
    while servers:
        servers.pop().stop()


answer(fresh=fresh)
stop()
