#!/usr/bin/env python3
"""A worker in Python, with its standard library alone: it fetches, publishes and discards films.

    film_worker.py --server http://127.0.0.1:7878 [--name N]

It asks for tasks of three queues with one long poll. What takes long would be done in a thread
beside a loop that gives heartbeats; nothing here does.

The file is meant to be copied as it is: it reads nothing else of this directory, and what speaks to
Skald can be kept when the work is another.
"""
import argparse
import json
import signal
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

    def post(self, path, body, timeout=15):
        request = urllib.request.Request(
            self.server + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as reply:
                return json.load(reply) if reply.status != 204 else {}
        except urllib.error.HTTPError as error:
            if error.code == 409:
                raise LeaseLost(error.read().decode()) from None
            raise

    def poll(self, wait=30):
        body = {"worker": self.name, "wait": f"{wait}s", "queues": QUEUES[1:]}
        return self.post(f"/v1/queues/{QUEUES[0]}/poll", body, timeout=wait + 15).get("tasks", [])

    def say(self, task, verb, body):
        """Said again while the server does not answer: the token makes that harmless."""
        for pause in (0.1, 0.5, 1, 2, 5, 10, None):
            try:
                return self.post(f"/v1/tasks/{task['token']}/{verb}", body)
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                if pause is None:
                    raise
                time.sleep(pause)


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
    signal.signal(signal.SIGTERM, lambda *_: exit(0))
    skald = Skald(options.server, options.name)
    while True:
        try:
            tasks = skald.poll()
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.5)  # the server is away; it will be back
            continue
        for task in tasks:
            try:
                output = WORK[task["queue"]](task)
                skald.say(task, "complete", {"output": output})
                print("done", task["step"], task["saga"], flush=True)
            except Failed as failed:
                skald.say(task, "fail", failed.word)
            except LeaseLost as lost:
                print("lost", task["step"], lost, flush=True)


if __name__ == "__main__":
    main()
