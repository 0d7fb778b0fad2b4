/** What the soak's clients do, once each: one conversation in every protocol, and the ways in which clients vanish. */
import { strictEqual } from 'node:assert';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type * as grpc from '@grpc/grpc-js';
import type { Pool } from 'undici';
import { WebSocket } from 'ws';
import { beginUnary, openBidi, unary } from '../../support/grpc-calls.ts';
import { type Message, message } from '../../support/grpc-echo.ts';
import { RawConnection } from '../../support/raw-http1.ts';

/** Where the callers call. */
export interface Target {
  /** The outbound listener of their sidecar. */
  readonly outbound: number;
  /** Kept connections to it. */
  readonly pool: Pool;
  readonly grpcClient: grpc.Client;
  /** `service:port` of the raw TCP port. */
  readonly tcp: string;
}

/** A conversation is an error when it throws. */
export type Conversation = (target: Target) => Promise<void>;

const HOST = 'soak';
/** How long streams stay open: less than an instance has to end in order. */
const STREAM_MS = 2_000;

const get: Conversation = async ({ pool }) => {
  const answer = await pool.request({ method: 'GET', path: '/', headers: { host: HOST } });
  strictEqual(answer.statusCode, 200, JSON.stringify(answer.headers));
  await answer.body.dump();
};

const post: Conversation = async ({ pool }) => {
  const body = Buffer.alloc(20_000, 'p');
  const answer = await pool.request({ method: 'POST', path: '/', headers: { host: HOST }, body });
  const text = await answer.body.text();
  strictEqual(answer.statusCode, 200, text.slice(0, 200));
  strictEqual(text.length, body.length);
};

const http2: Conversation = async ({ outbound }) => {
  const session = connectHttp2(`http://127.0.0.1:${outbound}`);
  session.on('error', () => undefined);
  try {
    for (let i = 0; i < 10; i++) {
      const stream = session.request({ ':method': 'POST', ':path': '/', ':authority': HOST });
      stream.end('hello');
      const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
      strictEqual(head[':status'], 200, JSON.stringify(head));
      strictEqual((await stream.toArray()).join(''), 'hello');
    }
  } finally {
    session.destroy();
  }
};

const grpcUnary: Conversation = async ({ grpcClient }) => {
  const { status } = await unary(grpcClient, message({ payload: Buffer.alloc(1_000) }));
  strictEqual(status.code, 0, status.details);
};

const grpcStream: Conversation = async ({ grpcClient }) => {
  const call = openBidi(grpcClient);
  call.on('error', () => undefined);
  const over = once(call, 'status') as Promise<[grpc.StatusObject]>;
  for (const end = performance.now() + STREAM_MS; performance.now() < end; await pause(50)) {
    call.write(message({ payload: Buffer.alloc(500) }));
    const [answer] = (await once(call, 'data')) as [Message];
    strictEqual(answer.payload.length, 500);
  }
  call.end();
  call.resume();
  const [status] = await over;
  strictEqual(status.code, 0, status.details);
};

const webSocket: Conversation = async ({ outbound }) => {
  const socket = new WebSocket(`ws://127.0.0.1:${outbound}/`, { headers: { host: HOST } });
  await once(socket, 'open');
  for (const end = performance.now() + STREAM_MS; performance.now() < end; await pause(50)) {
    socket.send(Buffer.alloc(10_000));
    const [echo] = (await once(socket, 'message')) as [Buffer];
    strictEqual(echo.length, 10_000);
  }
  socket.close(1000);
  const [code] = (await once(socket, 'close')) as [number];
  strictEqual(code, 1000);
};

const openTunnel = async ({ outbound, tcp }: Target): Promise<net.Socket> => {
  const socket = net.connect(outbound, '127.0.0.1');
  socket.write(`CONNECT ${tcp} HTTP/1.1\r\nHost: ${tcp}\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  strictEqual(answer.toString('latin1').slice(0, 12), 'HTTP/1.1 200', answer.toString('latin1'));
  return socket;
};

const rawTcp: Conversation = async target => {
  const socket = await openTunnel(target);
  let received = 0;
  socket.on('data', chunk => {
    received += chunk.length;
  });
  for (let i = 0; i < 20; i++) {
    socket.write(Buffer.alloc(5_000));
    await pause(50);
  }
  socket.end();
  await once(socket, 'close');
  strictEqual(received, 100_000);
};

const vanishInRequest: Conversation = async ({ outbound }) => {
  await using connection = new RawConnection(outbound);
  connection.write(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(10_000)}`);
  await pause(100 * Math.random());
};

const vanishInAnswer: Conversation = async ({ outbound }) => {
  await using connection = new RawConnection(outbound);
  connection.write(`GET /big HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  await connection.until(received => received.length > 100_000 * Math.random());
  connection.socket.resetAndDestroy();
};

const cancelCall: Conversation = async ({ grpcClient }) => {
  const call = beginUnary(grpcClient, message({ delayMs: 1_000 }));
  call.on('error', () => undefined);
  await pause(100 * Math.random());
  call.cancel();
};

const vanishInTunnel: Conversation = async target => {
  const socket = await openTunnel(target);
  socket.on('error', () => undefined).resume();
  socket.write(Buffer.alloc(50_000));
  await pause(50 * Math.random());
  socket.resetAndDestroy();
};

const vanishInWebSocket: Conversation = async ({ outbound }) => {
  const socket = new WebSocket(`ws://127.0.0.1:${outbound}/`, { headers: { host: HOST } });
  await once(socket, 'open');
  socket.send(Buffer.alloc(100_000));
  socket.terminate();
};

/** Each with how many of it begin in a second. */
export const CONVERSATIONS: Readonly<Record<string, { readonly perSecond: number; readonly run: Conversation }>> = {
  get: { perSecond: 60, run: get },
  post: { perSecond: 15, run: post },
  http2: { perSecond: 3, run: http2 },
  grpcUnary: { perSecond: 15, run: grpcUnary },
  grpcStream: { perSecond: 1, run: grpcStream },
  webSocket: { perSecond: 1, run: webSocket },
  rawTcp: { perSecond: 2, run: rawTcp },
  vanishInRequest: { perSecond: 2, run: vanishInRequest },
  vanishInAnswer: { perSecond: 2, run: vanishInAnswer },
  cancelCall: { perSecond: 2, run: cancelCall },
  vanishInTunnel: { perSecond: 1, run: vanishInTunnel },
  vanishInWebSocket: { perSecond: 1, run: vanishInWebSocket },
};
