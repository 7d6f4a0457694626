"""Record a run from inside your own program.

Try it on the local servers: `agentruns up`, then `python examples/record_minimal.py`.
"""

import base64

from agentruns import Recorder

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

with Recorder("browser-1") as recorder:
    with recorder.run("Book a flight", metadata={"site": "flights.example"}) as run:
        run.log("opened the page", url="https://flights.example")
        run.screenshot(PIXEL, step=1, name="start page")
        run.progress(50, "logged in", step=1)
        run.remember("prefers aisle seats")
        run.file(__file__)
        run.progress(100, "booked", step=2)
    result = recorder.flush(timeout=30)
print(f"task {run.task_id}: delivered {result.delivered}, pending {result.pending}")
