"""Calls the prices in four ways. `prices:80` is found by way of `grpc_proxy`."""

from queue import SimpleQueue

import grpc
from prices_pb2 import Item, Price
from prices_pb2_grpc import PricesStub

with grpc.insecure_channel("prices:80") as channel:
    prices = PricesStub(channel)

    print("one call:", prices.Get(Item(name="cup"), timeout=5).cents)
    try:
        prices.Get(Item(name="fork"), timeout=5)
    except grpc.RpcError as error:
        print("refused:", error.code().name, error.details())

    futures = [prices.Get.future(Item(name=name), timeout=5) for name in ("cup", "plate", "pot")]
    for future in futures:
        print("at once:", future.result().name, future.result().cents)

    for price in prices.Watch(Item(name="pot"), timeout=5):
        print("stream:", price.cents)

    # A bid is made when the answer to the one before is known.
    bids = SimpleQueue()
    answers = prices.Haggle(iter(bids.get, None), timeout=5)
    cents = 100
    for _ in range(3):
        bids.put(Price(name="cup", cents=cents))
        cents = next(answers).cents
        print("both ways:", cents)
    bids.put(None)
