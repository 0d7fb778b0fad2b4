"""The prices of a shop, over gRPC without TLS: the mesh brings that."""

import sys
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import grpc
from prices_pb2 import Price
from prices_pb2_grpc import PricesServicer, add_PricesServicer_to_server

CENTS = {"cup": 350, "plate": 700, "pot": 1900}


class Prices(PricesServicer):
    def Get(self, item, context):
        if item.name not in CENTS:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no {item.name} here")
        return Price(name=item.name, cents=CENTS[item.name])

    def Watch(self, item, context):
        for raised in range(3):
            yield Price(name=item.name, cents=CENTS[item.name] + 10 * raised)
            sleep(0.2)

    def Haggle(self, bids, context):
        for bid in bids:
            yield Price(name=bid.name, cents=(bid.cents + CENTS[bid.name]) // 2)


server = grpc.server(ThreadPoolExecutor())
add_PricesServicer_to_server(Prices(), server)
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
