"""A real model server (llama.cpp) on loopback: MODEL PORT. Ends at once on SIGTERM."""

import os
import signal
import sys
import threading

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.port = int(sys.argv[2])
params.hostnames = ["127.0.0.1"]
params.model_alias = {"lab"}
# The context is divided by the slots: 4096 tokens a request.
params.n_ctx = 8192
params.n_parallel = 2
# More threads spin while another process holds a core: seconds become minutes.
for cpu in (params.cpuparams, params.cpuparams_batch):
    cpu.n_threads = 1
params.api_keys = []
server = xllamacpp.Server(params)
print("ready", server.listening_address, flush=True)

done = threading.Event()
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: done.set())
done.wait()
# Python's own end would wait up to 30 s for an answer in flight.
os._exit(0)
