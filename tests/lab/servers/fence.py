"""Runs a command in a network namespace of its own and lists every connection that it tries.

usage: fence.py LIST PORT... -- COMMAND...

In there 127.0.0.1:PORT leads to the same port out here; any other address refuses. LIST gets one line for
each destination with how often it was tried: `tcp 127.0.0.1:16443 2`, and for datagrams, such as questions to a
name server: `udp 192.0.2.53:53 1`. It needs root. Exits as the command does.
"""

import collections
import ctypes
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
TCP, UDP = 6, 17
SYN, ACK = 0x02, 0x10


def pump(source, sink):
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    except OSError:
        pass
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def relay(listener, connect):
    """Hands each connection on to what `connect` opens."""
    while True:
        inner, _ = listener.accept()
        try:
            outer = connect()
        except OSError:
            inner.close()
            continue
        for pair in ((inner, outer), (outer, inner)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


def to_port(port):
    return lambda: socket.create_connection(("127.0.0.1", port))


def to_path(path):
    def connect():
        out = socket.socket(socket.AF_UNIX)
        out.connect(path)
        return out
    return connect


def serve(listener, connect):
    threading.Thread(target=relay, args=(listener, connect), daemon=True).start()


def destination(packet):
    """What a packet opens, or None; see RFC 791, 8200, 9293, 768."""
    version = packet[0] >> 4
    if version == 4:
        head, protocol, family, address = (packet[0] & 15) * 4, packet[9], socket.AF_INET, packet[16:20]
    elif version == 6:
        head, protocol, family, address = 40, packet[6], socket.AF_INET6, packet[24:40]
    else:
        return None
    body = packet[head:]
    if protocol not in (TCP, UDP) or len(body) < 14 and protocol == TCP:
        return None
    if protocol == TCP and body[13] & (SYN | ACK) != SYN:
        return None
    port = struct.unpack("!H", body[2:4])[0]
    return f"{'tcp' if protocol == TCP else 'udp'} {socket.inet_ntop(family, address)}:{port}"


def watch(seen):
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)

    def read():
        while True:
            packet, about = tap.recvfrom(65536)
            # Each packet of the loopback is seen twice, going out and coming in.
            if about[2] == socket.PACKET_OUTGOING and (found := destination(packet)):
                seen[found] += 1
    threading.Thread(target=read, daemon=True).start()


def inside(list_file, ports, folder, command):
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for line in ("link set lo up", "route add local default dev lo", "-6 route add local default dev lo"):
        subprocess.run(["ip", *line.split()], check=True)
    seen = collections.Counter()
    watch(seen)
    for port in ports:
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
        serve(listener, to_path(f"{folder}/{port}"))
    code = subprocess.call(command)
    with open(list_file, "w", encoding="utf-8") as out:
        out.writelines(f"{line} {times}\n" for line, times in sorted(seen.items()))
    return code


def main():
    list_file, rest = sys.argv[1], sys.argv[2:]
    at = rest.index("--")
    ports, command = [int(port) for port in rest[:at]], rest[at + 1:]
    with tempfile.TemporaryDirectory() as folder:
        listeners = []
        for port in ports:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"{folder}/{port}")
            listener.listen(128)
            listeners.append((port, listener))
        child = os.fork()
        if child == 0:
            os._exit(inside(list_file, ports, folder, command) & 0xFF)
        # Threads only after the fork.
        for port, listener in listeners:
            serve(listener, to_port(port))
        _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


main()
