import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../common/clock.ts';
import type { ProxyError } from '../errors/proxy-error.ts';
import type { ExchangeContext } from '../exchange.ts';
import type { IdentityView } from '../identity/certificate-store.ts';
import type { LinkValidity } from '../identity/link-validity.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { linkOrigin } from '../origin.ts';
import type { RequestHead } from '../protocol/head.ts';
import { HessianHeads } from '../protocol/hessian/call-heads.ts';
import { Http2ServerConnection } from '../protocol/http2/serve.ts';
import type { BlockPool } from '../protocol/outbox.ts';
import type { Downstream } from '../protocol/stream.ts';
import { beginExchanges } from './begin-exchanges.ts';
import type { Connections } from './connections.ts';
import { followValidity } from './follow-validity.ts';
import { parsePeerHello } from './peer-hello.ts';
import { refuseRequest } from './refuse-request.ts';

/** Streams that one peer may have open on a connection. */
const MAX_CONCURRENT_STREAMS = 2_048;

export interface LinkConnectionOptions {
  readonly exchange: ExchangeContext;
  /** Of requests whose head could not be read. */
  readonly refused: ExchangeContext;
  readonly connections: Connections;
  readonly blocks: BlockPool;
  readonly clock: Clock;
  readonly store: IdentityView;
  /** Our own PEER frame. */
  readonly hello: Buffer;
  readonly onProtocolError: (error: ProxyError) => void;
  /** True when the port of the app that a request is for is declared as Hessian. */
  readonly isHessian: (head: RequestHead) => boolean;
}

/** A peer whose certificate was verified: its streams become exchanges. `alpn`: `outrider/1`, or `h2` from a client that is no sidecar. */
export const acceptPeer = (
  options: LinkConnectionOptions,
  socket: TLSSocket,
  peer: PeerIdentity,
  alpn: string,
  validity: LinkValidity,
): void => {
  const { connections, exchange: context, onProtocolError } = options;
  const link = alpn === 'outrider/1';
  const origin = linkOrigin(peer);
  const connection: Http2ServerConnection = new Http2ServerConnection(socket, {
    account: context.account,
    blocks: options.blocks,
    clock: options.clock,
    maxConcurrentStreams: MAX_CONCURRENT_STREAMS,
    link,
    hello: link ? options.hello : NO_HELLO,
    onPeer: payload => {
      const said = parsePeerHello(payload);
      if (said !== undefined) origin.caller = said;
    },
    onRequest: beginExchanges(options, origin, {
      heads: new HessianHeads(),
      answersFaults: !link,
      isDeclared: options.isHessian,
    }),
    answer: (downstream: Downstream, error: ProxyError) => {
      refuseRequest(options.refused, origin, downstream, error);
      onProtocolError(error);
    },
    onClose: error => {
      stopFollowing();
      connections.removeWhenClosed(connection, socket);
      if (error?.code === 'DOWNSTREAM_PROTOCOL') onProtocolError(error);
    },
  });
  const stopFollowing = followValidity(connection, validity, options.clock, options.store);
  connections.add(connection);
};

const NO_HELLO = Buffer.alloc(0);
