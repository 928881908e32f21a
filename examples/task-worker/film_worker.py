#!/usr/bin/env python3
"""A worker in Python, with its standard library alone: it fetches, publishes and discards films.

    film_worker.py --server http://127.0.0.1:7878 [--name N]

It asks for tasks of three queues with one long poll. What takes long would be done in a thread
beside a loop that gives heartbeats; nothing here does.

The file is meant to be copied as it is: it reads nothing else of this directory, and what speaks to
Skald can be kept when the work is another.
"""
import argparse
import http.client
import json
import signal
import sys
import time
import urllib.error
import urllib.request

QUEUES = ["film-fetch", "film-publish", "film-discard"]


class LeaseLost(Exception):
    """The task may be another worker's by now: whatever was done, it is not ours any more."""


class Failed(Exception):
    """What the worker says of a task that it did not do."""

    def __init__(self, code, message="", retryable=True):
        super().__init__(message)
        self.word = {"code": code, "message": message, "retryable": retryable}


class Skald:
    def __init__(self, server, name):
        self.server, self.name = server.rstrip("/"), name
        self.busy = self.stop = False

    def end(self, *_):
        """For SIGTERM: what is in hand is done first; a poll is given up."""
        self.stop = True
        if not self.busy:
            sys.exit(0)

    def post(self, path, body, timeout=15):
        """Asks again while the server is away or has too much to do: soon at first, then every 5 s."""
        request = urllib.request.Request(
            self.server + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        pause = 0.1
        while True:
            try:
                with urllib.request.urlopen(request, timeout=timeout) as reply:
                    return json.load(reply) if reply.status != 204 else {}
            except urllib.error.HTTPError as error:
                if error.code == 409:
                    raise LeaseLost(error.read().decode()) from None
                if error.code < 500 and error.code != 429:
                    raise
            except (OSError, http.client.HTTPException):
                pass  # refused, silent, or cut off
            if self.stop:
                sys.exit(0)  # the lease runs out, and another worker does it
            time.sleep(pause)
            pause = min(2 * pause, 5)

    def poll(self, wait=30):
        body = {"worker": self.name, "wait": f"{wait}s", "queues": QUEUES[1:]}
        return self.post(f"/v1/queues/{QUEUES[0]}/poll", body, timeout=wait + 15).get("tasks", [])

    def say(self, task, verb, body):
        """Said as often as it takes: the token makes that harmless, and ends with the lease."""
        return self.post(f"/v1/tasks/{task['token']}/{verb}", body)


def fetch(task):
    film = task["input"]["film"]
    if film.startswith("lost"):
        raise Failed("no_such_film", f"nobody has {film}", retryable=False)
    return {"file": f"/films/{film}.raw"}


def publish(task):
    return {"url": f"https://films.example/{task['input']['film']}"}


def discard(task):
    # The key is the same for every attempt: whoever keeps books does not discard twice.
    print("discarded", task["input"].get("size", "the film"), task["key"], flush=True)


WORK = {"film-fetch": fetch, "film-publish": publish, "film-discard": discard}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--name", default="films")
    options = parser.parse_args()
    skald = Skald(options.server, options.name)
    signal.signal(signal.SIGTERM, skald.end)
    while not skald.stop:
        for task in skald.poll():
            skald.busy = True
            try:
                output = WORK[task["queue"]](task)
                skald.say(task, "complete", {"output": output})
                print("done", task["step"], task["saga"], flush=True)
            except Failed as failed:
                skald.say(task, "fail", failed.word)
            except LeaseLost as lost:
                print("lost", task["step"], lost, flush=True)
            skald.busy = False


if __name__ == "__main__":
    main()
