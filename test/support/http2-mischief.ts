/**
 * A gRPC server on `node:http2` that misbehaves as its caller asks: the method says how. What gRPC calls the negative HTTP/2 interop tests, and more of
 * the kind. It knows no messages: bytes in, bytes out.
 */
import { once } from 'node:events';
import {
  constants,
  createServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import type { AddressInfo } from 'node:net';

/** A gRPC message with these bytes. */
const message = (bytes: Buffer): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
};
const ANSWER = message(Buffer.alloc(20_000, 'mesh'));
const HEAD = { ':status': 200, 'content-type': 'application/grpc' };

type Act = (stream: ServerHttp2Stream, session: Http2Session) => void;

/** A whole answer. */
const answer: Act = stream => {
  stream.respond(HEAD, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine' }));
  stream.end(ANSWER);
};
/** Behind what was written before. */
const reset = (stream: ServerHttp2Stream, code: number): void => {
  setImmediate(() => stream.close(code));
};

export interface Mischief extends AsyncDisposable {
  readonly port: number;
  /** Calls that have reached it. */
  readonly calls: number;
}

/** Codes with which a stream may be reset, by name: NO_ERROR, INTERNAL_ERROR, … */
const codeOf = (name: string): number => constants[`NGHTTP2_${name}` as 'NGHTTP2_CANCEL'];

/**
 * Methods, with what stands behind a `/` in them as their argument:
 * - `Answer`: behaves;
 * - `ResetBeforeHead/CODE`, `ResetAfterHead/CODE`, `ResetDuringData/CODE`, `ResetAfterData/CODE`;
 * - `GoawayAfter`: answers, and the connection takes no more; `GoawayBefore`: a connection that was used refuses the call unprocessed;
 * - `Pings`: a PING before each part of the answer;
 * - `Drop`: the connection is gone in the middle of the answer;
 * - `NoStatus`: trailers without a status; `Html`: an answer that is not gRPC at all; `TrailersOnly`: a status and no more.
 */
const ACTS: Readonly<Record<string, (argument: string) => Act>> = {
  Answer: () => answer,
  ResetBeforeHead: name => stream => stream.close(codeOf(name)),
  ResetAfterHead: name => stream => {
    stream.respond(HEAD);
    reset(stream, codeOf(name));
  },
  ResetDuringData: name => stream => {
    stream.respond(HEAD);
    stream.write(ANSWER.subarray(0, 10_000), () => reset(stream, codeOf(name)));
  },
  ResetAfterData: name => stream => {
    stream.respond(HEAD);
    stream.write(ANSWER, () => reset(stream, codeOf(name)));
  },
  GoawayAfter: () => (stream, session) => {
    answer(stream, session);
    session.goaway(constants.NGHTTP2_NO_ERROR, stream.id ?? 0);
  },
  GoawayBefore: () => (stream, session) => {
    const id = stream.id ?? 1;
    if (id === 1) answer(stream, session);
    else session.goaway(constants.NGHTTP2_NO_ERROR, id - 2);
  },
  Pings: () => (stream, session) => {
    stream.respond(HEAD, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine' }));
    let at = 0;
    const next = (): void => {
      stream.write(ANSWER.subarray(at, at + 1_000));
      at += 1_000;
      if (at >= ANSWER.length) stream.end();
      else if (!session.destroyed) session.ping(next);
    };
    session.ping(next);
  },
  Drop: () => (stream, session) => {
    stream.respond(HEAD);
    stream.write(ANSWER.subarray(0, 10_000), () => setImmediate(() => session.socket.destroy()));
  },
  NoStatus: () => stream => {
    stream.respond(HEAD, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-other': '1' }));
    stream.end(ANSWER);
  },
  Html: () => stream => {
    stream.respond({ ':status': 502, 'content-type': 'text/html' });
    stream.end('<h1>Bad Gateway</h1>');
  },
  TrailersOnly: () => stream =>
    stream.respond({ ...HEAD, 'grpc-status': '9', 'grpc-message': 'not%20now%3A%20%C3%BC' }, { endStream: true }),
};

/** `options`: settings that make life hard, such as one stream at a time, or as much padding as there can be. */
export const startMischief = async (options: ServerOptions = {}): Promise<Mischief> => {
  let calls = 0;
  const sessions = new Set<Http2Session>();
  const server = createServer(options);
  server.on('session', session => {
    sessions.add(session);
    session.on('error', () => undefined).on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream: ServerHttp2Stream, head: IncomingHttpHeaders) => {
    stream.on('error', () => undefined);
    const [, , method = '', argument = ''] = (head[':path'] ?? '').split('/');
    calls++;
    const act = ACTS[method]?.(argument);
    // A call is answered when it is complete, or the reset would meet one that is still being sent.
    stream.resume().once('end', () => {
      if (stream.session !== undefined) act?.(stream, stream.session);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get calls() {
      return calls;
    },
    [Symbol.asyncDispose]: async () => {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
};
