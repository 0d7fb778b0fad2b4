"""A weather service in Flask. It has never heard of a mesh."""

from itertools import islice
from queue import Queue

from flask import Flask, Response, request

app = Flask(__name__)
degrees = {"cairo": 31, "oslo": 4, "rome": 19}
watchers: dict[str, list[Queue]] = {name: [] for name in degrees}


@app.get("/cities/<name>")
def read(name: str):
    return {"degrees": degrees[name], "asked_by": request.headers["x-outrider-peer"]}


@app.put("/cities/<name>")
def change(name: str):
    degrees[name] = request.json
    for watcher in watchers[name]:
        watcher.put(request.json)
    return "", 204


@app.get("/changes/<name>")
def changes(name: str):
    """A stream: the degrees now, then each change, one a line; `lines` of them in all."""
    watcher: Queue = Queue()
    watchers[name].append(watcher)
    watcher.put(degrees[name])
    lines = (f"{each}\n" for each in iter(watcher.get, None))
    return Response(islice(lines, int(request.args["lines"])), mimetype="text/plain")
