import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import { Http1ClientConnection } from '../protocol/http1/forward.ts';
import type { Http1ResponseHeads } from '../protocol/http1/response-heads.ts';
import type { BlockPool } from '../protocol/outbox.ts';
import type { WindowAccount } from '../protocol/stream.ts';
import { ThriftClientConnection } from '../protocol/thrift/forward.ts';
import type { CircuitBreaker } from '../resilience/circuit-breaker.ts';
import { MultiplexedPool } from './multiplexed-pool.ts';
import type { WorkerNumber } from './peer-workers.ts';
import { SerialPool } from './serial-pool.ts';
import { TcpDialer } from './tcp-dialer.ts';
import type { Dial, Transport } from './transport.ts';

/** What every transport is built with. Owned by the proxy. */
export interface TransportParts {
  readonly account: WindowAccount;
  readonly blocks: BlockPool;
  readonly clock: Clock;
  readonly random: Random;
  readonly heads: Http1ResponseHeads;
  /** Which worker's they are. Default: the only one's. */
  readonly worker?: WorkerNumber;
}

/** How plain connections are used; `link` is the mesh's own. */
export const TRANSPORT_KINDS = ['http1', 'http2', 'tcp', 'thrift'] as const;
export type TransportKind = (typeof TRANSPORT_KINDS)[number];

const ONLY_WORKER: WorkerNumber = { number: 0, count: 1 };
const NO_HELLO = Buffer.alloc(0);
/** Streams that we open on one plain HTTP/2 connection, when the server allows as many. */
const MAX_STREAMS = 1_000;
/** Streams that we open on one link connection. */
const MAX_LINK_STREAMS = 2_048;

/** Connections in plain text: to our own app, or to an instance without a sidecar. */
export const plainTransport = (
  parts: TransportParts,
  kind: TransportKind,
  dial: Dial,
  breaker: CircuitBreaker,
): Transport => {
  const { account, blocks, clock, random, heads } = parts;
  switch (kind) {
    case 'http1':
      return new SerialPool({
        dial,
        breaker,
        clock,
        connect: (socket, events) => new Http1ClientConnection(socket, { heads, account, ...events }),
      });
    case 'http2': {
      const http2 = { account, blocks, clock, maxConcurrentStreams: MAX_STREAMS, link: false, hello: NO_HELLO };
      return new MultiplexedPool({ dial, breaker, clock, random, http2 });
    }
    case 'thrift':
      return new SerialPool({
        dial,
        breaker,
        clock,
        connect: (socket, events) => new ThriftClientConnection(socket, { account, ...events }),
      });
    case 'tcp':
      return new TcpDialer({ dial, breaker, account });
    default:
      return kind satisfies never;
  }
};

/** Connections to a peer's sidecar. */
export const linkTransport = (
  parts: TransportParts,
  dial: Dial,
  hello: Buffer,
  breaker: CircuitBreaker,
): MultiplexedPool => {
  const { account, blocks, clock, random, worker = ONLY_WORKER } = parts;
  const http2 = { account, blocks, clock, maxConcurrentStreams: MAX_LINK_STREAMS, link: true, hello };
  return new MultiplexedPool({ dial, breaker, clock, random, http2, worker });
};
