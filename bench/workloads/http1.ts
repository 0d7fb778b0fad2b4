/** HTTP/1.1 workloads. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LARGE_BYTES, MEGABYTE, SMALL_BODY } from '../apps/app.ts';
import type { Variation } from '../load/fresh-fields.ts';
import { runHttp1Load, runStreamLoad } from '../load/own-load.ts';
import { runWrk, type WrkOptions } from '../load/wrk.ts';
import type { PeerName } from '../peers/peer.ts';
import { aboutBytes, aboutLatency, type Drive, measureLoad } from './measure-load.ts';
import type { Workload } from './workload.ts';

const EVERYBODY: readonly PeerName[] = ['ours', 'haproxy', 'nginx', 'envoy', 'usual way'];

const wrk =
  (options: Omit<WrkOptions, 'port' | 'seconds'>): Drive =>
  ({ children, pair }, seconds) =>
    runWrk(children, { ...options, port: pair.port, seconds });

const common = { protocol: 'http1', programs: ['wrk', 'nginx'], peers: EVERYBODY, freshPair: false } as const;

const small = (connections: number): Workload => ({
  ...common,
  name: `http1-${connections}`,
  title: `HTTP/1.1, 100-byte answers, ${connections} connection${connections === 1 ? '' : 's'}`,
  measure: measureLoad(wrk({ connections })),
});

const varied = (name: string, title: string, variation: Variation): Workload => ({
  ...common,
  name,
  title,
  programs: ['nginx'],
  measure: measureLoad(({ children, pair }, seconds) =>
    runHttp1Load(children, {
      port: pair.port,
      connections: 32,
      seconds,
      variation,
      rate: 0,
      bodyBytes: SMALL_BODY.length,
    }),
  ),
});

const UPLOAD_SCRIPT = `wrk.method = 'POST'\nwrk.body = string.rep('x', ${MEGABYTE})\n`;

const uploads: Drive = async ({ children, directory, pair }, seconds) => {
  const script = join(directory, 'upload.lua');
  await writeFile(script, UPLOAD_SCRIPT);
  const result = await runWrk(children, { port: pair.port, path: '/upload', connections: 8, seconds, script });
  return { ...result, bytes: result.requests * MEGABYTE };
};

const longStream: Drive = ({ children, pair }, seconds) =>
  runStreamLoad(children, { port: pair.port, path: '/large', seconds, bodyBytes: LARGE_BYTES });

/** Small calls on 8 connections at an easy rate while another connection downloads as fast as it can. */
const besideTransfer: Drive = async (run, seconds) => {
  const transfer = longStream(run, seconds);
  const calls = await runHttp1Load(run.children, {
    port: run.pair.port,
    connections: 8,
    seconds: seconds * 0.9,
    variation: 'fixed',
    rate: 500,
    bodyBytes: SMALL_BODY.length,
  });
  const { faults, bytes } = await transfer;
  const stalled = bytes === 0 ? ['The large transfer did not move.'] : [];
  // Beside the transfer's, the bytes of the small answers are nothing.
  return { ...calls, bytes, faults: [...calls.faults, ...faults, ...stalled] };
};

export const HTTP1_WORKLOADS: readonly Workload[] = [
  small(1),
  small(32),
  small(128),
  varied('http1-traceparent', 'HTTP/1.1, 32 connections, a fresh traceparent each', 'traceparent'),
  varied('http1-path', 'HTTP/1.1, 32 connections, a unique path each', 'path'),
  {
    ...common,
    name: 'bodies-1mb',
    title: 'HTTP/1.1, 1 MB answers, 8 connections',
    measure: measureLoad(wrk({ connections: 8, path: '/1mb' }), aboutBytes),
  },
  {
    ...common,
    name: 'uploads-1mb',
    title: 'HTTP/1.1, 1 MB requests, 8 connections',
    measure: measureLoad(uploads, aboutBytes),
  },
  {
    ...common,
    name: 'long-stream',
    title: 'HTTP/1.1, one long answer',
    programs: ['nginx'],
    measure: measureLoad(longStream, aboutBytes),
  },
  {
    ...common,
    name: 'beside-transfer',
    title: 'HTTP/1.1, 500 small calls/s beside an endless 1 GB transfer',
    programs: ['nginx'],
    measure: measureLoad(besideTransfer, aboutLatency),
  },
  {
    ...common,
    name: 'new-connections',
    title: 'HTTP/1.1, a new connection for each request, 32 at a time',
    measure: measureLoad(wrk({ connections: 32, reconnect: true })),
  },
];
