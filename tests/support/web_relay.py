"""A bad network between a browser and mer-web: a UDP relay that loses packets both ways, by a seeded chance."""

from __future__ import annotations

import json
import random
import re
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ANY = re.compile(r"a=candidate:[^\r\n]*\r?\n")
CANDIDATE = re.compile(r"^a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host.*$", re.M)


class LossyRelay:
    """Between one browser and one server; knows the browser by its first packet."""

    def __init__(self, loss: float, seed: int = 5) -> None:
        self.passed = self.lost = 0
        self._loss, self._chance = loss, random.Random(seed)
        self._front, self._back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def start(self, server: tuple[str, int]) -> int:
        """Carry packets to and from ``server``; the port to send to."""
        for side in (self._front, self._back):
            side.bind((server[0], 0))
        self._back.connect(server)
        self._thread.start()
        return int(self._front.getsockname()[1])

    def close(self) -> None:
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()
        for side in (self._front, self._back):
            side.close()

    def _carry(self) -> None:
        browser: tuple[str, int] | None = None
        while not self._end.is_set():
            for side in select.select([self._front, self._back], [], [], 0.1)[0]:
                try:
                    data, sender = side.recvfrom(2048)
                except ConnectionError:  # the server has closed its port
                    continue
                if side is self._front:
                    browser = sender
                if self._chance.random() < self._loss:
                    self.lost += 1
                    continue
                self.passed += 1
                if side is self._front:
                    self._back.send(data)
                elif browser is not None:
                    self._front.sendto(data, browser)


@contextmanager
def lossy(page: Any, loss: float) -> Iterator[list[LossyRelay]]:
    """Let every connection of a playwright ``page`` go through a relay of its own; yields them."""
    relays: list[LossyRelay] = []

    def answer(route: Any) -> None:
        offer = route.request.post_data_json
        offer["sdp"] = ANY.sub("", offer["sdp"])  # or the server would find a way past the relay
        response = route.fetch(post_data=json.dumps(offer))
        content = response.json()
        if "sdp" in content:
            host = next(CANDIDATE.finditer(content["sdp"]))
            relays.append(relay := LossyRelay(loss))
            port = relay.start((host[1], int(host[2])))
            line = host[0].replace(f" {host[2]} typ", f" {port} typ")
            others = ANY.sub("", content["sdp"])
            content["sdp"] = others.replace("a=mid:0\r\n", f"a=mid:0\r\n{line.rstrip()}\r\n")
        route.fulfill(response=response, body=json.dumps(content))

    page.route("**/offer", answer)
    try:
        yield relays
    finally:
        for relay in relays:
            relay.close()
