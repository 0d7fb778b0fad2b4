"""Asks the weather service in three ways, with nothing but Python's own library."""

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.request import Request, urlopen

WEATHER = "http://weather"


def read(city: str):
    with urlopen(f"{WEATHER}/cities/{city}") as answer:
        return json.load(answer)


def change(city: str, degrees: int):
    headers = {"Content-Type": "application/json"}
    urlopen(Request(f"{WEATHER}/cities/{city}", json.dumps(degrees).encode(), headers, method="PUT")).close()


print("one call:", read("oslo"))

with ThreadPoolExecutor() as pool:
    cities = ["cairo", "oslo", "rome"]
    for city, answer in zip(cities, pool.map(read, cities)):
        print("at once:", city, answer["degrees"])

# A line arrives while the answer goes on: the next change is made when it was read.
with urlopen(f"{WEATHER}/changes/oslo?lines=4") as stream:
    for line, degrees in zip(stream, [5, 6, 4, None]):
        print("stream:", line.decode().strip())
        if degrees is not None:
            change("oslo", degrees)
