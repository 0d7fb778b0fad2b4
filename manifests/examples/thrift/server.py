"""A diary, served by Apache Thrift: a thread for each connection."""

import sys
from collections import defaultdict
from threading import Lock

from diary import Diary
from diary.ttypes import NoSuchDay
from thrift.protocol.TBinaryProtocol import TBinaryProtocolFactory
from thrift.server.TServer import TThreadedServer
from thrift.transport.TSocket import TServerSocket
from thrift.transport.TTransport import TBufferedTransportFactory


class Pages:
    def __init__(self):
        self.days = defaultdict(list)
        self.lock = Lock()

    def write(self, day, line):
        with self.lock:
            self.days[day].append(line)
            return len(self.days[day])

    def jot(self, day, line):
        self.write(day, line)

    def read(self, day, first, most):
        if day not in self.days:
            raise NoSuchDay(day)
        return self.days[day][first : first + most]


socket = TServerSocket(host="127.0.0.1", port=int(sys.argv[1]))
TThreadedServer(Diary.Processor(Pages()), socket, TBufferedTransportFactory(), TBinaryProtocolFactory(), daemon=True).serve()
