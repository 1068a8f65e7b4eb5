"""A UDP socket for who is not in this namespace.

    pipe.py INTERFACE PORT

Says `ready PORT`. Each line of standard input, `ADDRESS PORT HEX`, is sent; each datagram that comes is a
line of standard output of the same form. Ends with its standard input.
"""

import os
import select
import socket
import sys

# Of an interface without an address a datagram to all goes out from 0.0.0.0, as that of a boot loader.
interface, port = sys.argv[1], int(sys.argv[2])
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
wire.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
wire.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
wire.bind(("0.0.0.0", port))
print("ready", wire.getsockname()[1], flush=True)
typed = b""
while True:
    ready, _, _ = select.select([0, wire], [], [])
    if wire in ready:
        payload, (address, source) = wire.recvfrom(65535)
        print(address, source, payload.hex(), flush=True)
    if 0 in ready:
        got = os.read(0, 65536)
        if not got:
            break
        *lines, typed = (typed + got).split(b"\n")
        for line in lines:
            address, target, payload = line.decode().split(" ")
            wire.sendto(bytes.fromhex(payload), (address, int(target)))
