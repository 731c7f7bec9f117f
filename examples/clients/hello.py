"""The job of the gRPC examples: it writes a line now and then, so that there is something to follow."""

import time

for step in (1, 2, 3):
    print(f"step {step} of 3", flush=True)
    time.sleep(0.2)
