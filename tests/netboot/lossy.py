"""A bad cable, where the kernel has no netem: what comes in at one interface goes out at the other, but
for what is lost; some of it twice, some of it late.

    lossy.py ONE OTHER SEED LOST TWICE LATE

The last three are percentages. Says `ready` once it carries. Meant for veth: what their sender has left
to hardware that they do not have, the UDP checksum, is filled in.
"""

import heapq
import random
import select
import socket
import struct
import sys
import time

ANY = 3  # ETH_P_ALL
OUTGOING = 4  # PACKET_OUTGOING
WAIT = 0.004  # of what is late, at most: enough for others to overtake it


def opened(interface):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ANY))
    wire.bind((interface, 0))
    return wire


def summed(data):
    """The sum of the Internet (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def whole(frame):
    """The frame with its UDP checksum filled in; anything else as it is."""
    if frame[12:14] != b"\x08\x00" or frame[14] >> 4 != 4 or frame[23] != socket.IPPROTO_UDP:
        return frame
    at = 14 + (frame[14] & 15) * 4
    end = at + struct.unpack(">H", frame[at + 4 : at + 6])[0]
    udp = frame[at : at + 6] + b"\0\0" + frame[at + 8 : end]
    pseudo = frame[26:34] + struct.pack(">HH", socket.IPPROTO_UDP, len(udp))
    right = struct.pack(">H", summed(pseudo + udp) or 0xFFFF)
    return frame[: at + 6] + right + frame[at + 8 :]


def main():
    ends = [opened(sys.argv[1]), opened(sys.argv[2])]
    chance = random.Random(int(sys.argv[3]))
    lost, twice, late = (float(arg) / 100 for arg in sys.argv[4:7])
    waiting = []
    count = 0
    print("ready", flush=True)
    while True:
        left = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select(ends, [], [], left)
        for end in ready:
            frame, (_, _, kind, _, _) = end.recvfrom(65535)
            if kind == OUTGOING:
                continue
            other = ends[1 - ends.index(end)]
            for _ in range(2 if chance.random() < twice else 1):
                if chance.random() < lost:
                    continue
                wait = chance.random() * WAIT if chance.random() < late else 0
                count += 1
                heapq.heappush(waiting, (time.monotonic() + wait, count, other, whole(frame)))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, other, frame = heapq.heappop(waiting)
            other.send(frame)


main()
