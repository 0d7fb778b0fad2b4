/** Thrift calls, which no other proxy here understands: judged by what our own HTTP/1.1 costs. */
import { runThriftLoad } from '../load/own-load.ts';
import { measureLoad } from './measure-load.ts';
import type { Workload } from './workload.ts';

export const THRIFT_WORKLOADS: readonly Workload[] = [
  {
    name: 'thrift',
    title: 'Thrift framed calls, 32 connections',
    protocol: 'thrift',
    programs: [],
    peers: ['ours'],
    freshPair: false,
    measure: measureLoad(({ children, pair }, seconds) =>
      runThriftLoad(children, { port: pair.port, connections: 32, seconds }),
    ),
  },
];
