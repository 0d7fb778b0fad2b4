"""Writes and reads the diary; it is found at the local port that OUTRIDER_UPSTREAM_DIARY names."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import sleep

from diary import Diary
from diary.ttypes import NoSuchDay
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport

HOST, PORT = os.environ["OUTRIDER_UPSTREAM_DIARY"].split(":")
DAY = f"day {os.getpid()}"


@contextmanager
def connected():
    transport = TBufferedTransport(TSocket(HOST, int(PORT)))
    transport.open()
    try:
        yield Diary.Client(TBinaryProtocol(transport))
    finally:
        transport.close()


def write(number):
    with connected() as diary:
        return diary.write(DAY, f"line {number}")


def pages(diary, most):
    """Thrift has no streams: a long answer comes in pages, each asked for when it is wanted."""
    first = 0
    while page := diary.read(DAY, first, most):
        yield page
        first += len(page)


with connected() as diary:
    try:
        diary.read(DAY, 0, 1)
    except NoSuchDay:
        print("an exception: NoSuchDay")

    print("one call:", diary.write(DAY, "got up"))

    diary.jot(DAY, "had breakfast")
    while len(diary.read(DAY, 0, 9)) < 2:
        sleep(0.01)
    print("oneway:", diary.read(DAY, 1, 1))

    with ThreadPoolExecutor(10) as pool:
        print("ten clients at once:", sorted(pool.map(write, range(10))))

    for page in pages(diary, 5):
        print("a page:", len(page), "lines")
