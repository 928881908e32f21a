#!/usr/bin/env python3
"""Workers that import tables, in Python, with its standard library alone.

    table_worker.py --server http://127.0.0.1:7878 --data DIR [--name N] [--threads 4] [--die-after ROWS]

Each thread asks for one task at a time. What is loaded stands in files below DIR, one for a chunk,
written under another name and then renamed: doing a chunk twice is doing it once. Loading tells how
many rows it has done with its heartbeats, and another worker goes on there. A file whose name has
"bad" in it has chunks that cannot be read. --die-after lets the process kill itself after so many
rows, as a machine would.

The file is meant to be copied as it is: it reads nothing else of this directory, and what speaks to
Skald (the class Skald and `work`) can be kept when the work is another.
"""
import argparse
import http.client
import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request

QUEUES = ["table-split", "table-load", "table-unload", "table-publish"]
ROWS_AT_ONCE = 20
STOP_WITHIN_S = 10


class LeaseLost(Exception):
    """The task may be another worker's by now."""


class Cancelled(Exception):
    """It is not wanted any more."""


class Failed(Exception):
    def __init__(self, code, message="", retryable=False):
        super().__init__(message)
        self.word = {"code": code, "message": message, "retryable": retryable}


class Skald:
    def __init__(self, server, name):
        self.server, self.name = server.rstrip("/"), name
        self.busy = self.stop = False

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


class Tables:
    """What is loaded, in files; and how many rows this process has done, in all its threads."""

    def __init__(self, data, die_after):
        self.data, self.die_after, self.rows, self.lock = data, die_after, 0, threading.Lock()

    def path(self, task):
        given = task["input"]
        folder = os.path.join(self.data, os.path.basename(given["file"]))
        os.makedirs(folder, exist_ok=True)
        return os.path.join(folder, f"chunk-{given['first']}")

    def count(self, rows):
        with self.lock:
            self.rows += rows
            if self.die_after and self.rows >= self.die_after:
                print(f"dies after {self.rows} rows", flush=True)
                os.kill(os.getpid(), signal.SIGKILL)

    def split(self, skald, task):
        given = task["input"]
        size = given["chunk_rows"]
        return {"chunks": [{"first": first, "rows": min(size, given["rows"] - first)}
                           for first in range(0, given["rows"], size)]}

    def load(self, skald, task):
        given = task["input"]
        done = (task.get("progress") or {}).get("done", 0)  # what an earlier attempt told last
        if "bad" in given["file"] and given["first"] % 300 == 0:
            raise Failed("unreadable", f"row {given['first']} has no columns")
        while done < given["rows"]:
            some = min(ROWS_AT_ONCE, given["rows"] - done)
            time.sleep(0.002 * some)  # the work
            done += some
            self.count(some)
            answer = skald.say(task, "heartbeat", {"details": {"done": done, "total": given["rows"]}})
            if answer.get("cancel"):
                raise Cancelled()
        path = self.path(task)
        with open(path + "." + task["key"].replace("/", "_"), "w", encoding="utf-8") as out:
            out.write(f"{given['rows']}\n")
        os.replace(out.name, path)
        return {"rows": given["rows"]}

    def unload(self, skald, task):
        try:
            os.unlink(self.path(task))
        except FileNotFoundError:
            pass  # it was never loaded, or is unloaded already
        return {}

    def publish(self, skald, task):
        return {"table": os.path.splitext(task["input"]["file"])[0], "rows": task["input"]["rows"]}


def work(skald, tables):
    do = {"table-split": tables.split, "table-load": tables.load,
          "table-unload": tables.unload, "table-publish": tables.publish}
    while not skald.stop:
        for task in skald.poll():
            skald.busy = True
            try:
                output = do[task["queue"]](skald, task)
                skald.say(task, "complete", {"output": output})
            except Failed as failed:
                skald.say(task, "fail", failed.word)
            except Cancelled:
                # What was loaded so far stands in no file yet.
                skald.say(task, "fail", {"code": "cancelled", "retryable": False})
            except LeaseLost as lost:
                print("lost", task["step"], task.get("item"), lost, flush=True)
            skald.busy = False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--name", default="tables")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--die-after", type=int, default=0)
    options = parser.parse_args()
    tables = Tables(options.data, options.die_after)
    workers = [Skald(options.server, f"{options.name}-{n + 1}") for n in range(options.threads)]
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    for skald in workers:
        threading.Thread(target=work, args=(skald, tables), daemon=True).start()
    ended.wait()
    # What is in hand is done first, for a while; polls are given up.
    for skald in workers:
        skald.stop = True
    for _ in range(STOP_WITHIN_S * 10):
        if not any(skald.busy for skald in workers):
            break
        time.sleep(0.1)


if __name__ == "__main__":
    main()
