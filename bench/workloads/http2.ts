/** HTTP/2 and gRPC workloads: 4 connections with 32 streams each. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SMALL_BODY } from '../apps/app.ts';
import { GRPC_MESSAGE, GRPC_PATH } from '../apps/grpc-message.ts';
import type { Variation } from '../load/fresh-fields.ts';
import { runH2load } from '../load/h2load.ts';
import { runGrpcLoad, runHttp2Load } from '../load/own-load.ts';
import type { PeerName } from '../peers/peer.ts';
import { type Drive, measureLoad } from './measure-load.ts';
import type { Workload } from './workload.ts';

const PEERS: readonly PeerName[] = ['ours', 'haproxy', 'nginx', 'envoy'];
const SHAPE = { connections: 4, streams: 32 } as const;

const common = { protocol: 'http2', programs: [], peers: PEERS, freshPair: false } as const;

const varied = (name: string, title: string, variation: Variation): Workload => ({
  ...common,
  name,
  title,
  measure: measureLoad(({ children, pair }, seconds) =>
    runHttp2Load(children, { ...SHAPE, port: pair.port, seconds, variation, bodyBytes: SMALL_BODY.length }),
  ),
});

const fixed: Drive = ({ children, directory, pair }, seconds) =>
  runH2load(children, { ...SHAPE, port: pair.port, seconds, directory });

const grpcBySheerLoad: Drive = async ({ children, directory, pair }, seconds) => {
  const bodyFile = join(directory, 'grpc-message');
  await writeFile(bodyFile, GRPC_MESSAGE);
  const headers = ['content-type: application/grpc', 'te: trailers'];
  return runH2load(children, { ...SHAPE, port: pair.port, seconds, directory, path: GRPC_PATH, headers, bodyFile });
};

export const HTTP2_WORKLOADS: readonly Workload[] = [
  {
    ...common,
    name: 'http2',
    title: 'HTTP/2, 4×32 streams, fixed heads',
    programs: ['h2load'],
    measure: measureLoad(fixed),
  },
  varied('http2-traceparent', 'HTTP/2, 4×32 streams, a fresh traceparent each', 'traceparent'),
  varied('http2-path', 'HTTP/2, 4×32 streams, a unique path each', 'path'),
  {
    ...common,
    name: 'grpc',
    title: 'gRPC unary by grpc-js clients, 4×32 calls',
    protocol: 'grpc',
    measure: measureLoad(({ children, pair }, seconds) =>
      runGrpcLoad(children, { port: pair.port, clients: 4, calls: 32, seconds }),
    ),
  },
  {
    ...common,
    name: 'grpc-load',
    title: 'gRPC unary by h2load, 4×32 calls',
    protocol: 'grpc',
    programs: ['h2load'],
    measure: measureLoad(grpcBySheerLoad),
  },
];
