/** A Hessian server on `node:http` and hessian.js, as a user's app, and a client. What a method does is in `answer`. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { request } from 'undici';
import {
  type Call,
  hessianCall,
  hessianFault,
  hessianReply,
  type Reply,
  readCall,
  readReply,
  type Wire,
} from './hessian-bytes.ts';

export const HESSIAN_TYPE = 'x-application/hessian';

export interface HessianApp extends AsyncDisposable {
  readonly port: number;
  /** Calls that arrived, and where. */
  readonly seen: (Call & { readonly path: string })[];
}

/**
 * `echo`, `bytes` and `nested` answer with their argument, `nothing` with null, `add` with a sum, `big` with so many characters, `fail` and `declared`
 * with a fault, `later` after a pause, `vanish` by ending the connection, the first time for each argument. Other names are unknown. What is no call is
 * answered with 400.
 */
export const startHessianApp = async (): Promise<HessianApp> => {
  const seen: (Call & { readonly path: string })[] = [];
  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(incoming);
    const call = parsed(body);
    if (call === undefined) {
      response.writeHead(400, { 'content-type': 'text/plain' }).end(`no call: ${body.length} bytes`);
      return;
    }
    const { wire, method, args } = call;
    const vanished = seen.some(call => call.method === 'vanish' && call.args[0] === args[0]);
    seen.push({ method, args, path: incoming.url ?? '' });
    if (method === 'later') await pause(50);
    if (method === 'vanish' && !vanished) {
      incoming.socket.destroy();
      return;
    }
    const answer = answerTo(wire, method, args);
    const length = method === 'big' ? {} : { 'content-length': answer.length };
    response.writeHead(200, { 'content-type': HESSIAN_TYPE, ...length }).end(answer);
  };
  const server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => incoming.socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
};

const parsed = (body: Buffer): ReturnType<typeof readCall> | undefined => {
  try {
    return readCall(body);
  } catch {
    return undefined;
  }
};

const answerTo = (wire: Wire, method: string, args: readonly unknown[]): Buffer => {
  switch (method) {
    case 'echo':
    case 'bytes':
    case 'nested':
    case 'later':
    case 'vanish':
      return hessianReply(wire, args[0]);
    case 'add':
      return hessianReply(wire, (args[0] as number) + (args[1] as number));
    case 'big':
      return hessianReply(wire, 'x'.repeat(args[0] as number));
    case 'nothing':
      return hessianReply(wire, null);
    case 'fail':
    case 'declared':
      return hessianFault(wire, 'ServiceException', 'no such account');
    default:
      return hessianFault(wire, 'NoSuchMethodException', `The service has no method named: ${method}`);
  }
};

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly reply: Reply;
}

/** Posts bytes, as one piece or several, and reads the reply. */
export const post = async (
  url: string,
  body: Buffer | readonly Buffer[],
  headers: Readonly<Record<string, string>> = { 'content-type': HESSIAN_TYPE },
): Promise<Answer> => {
  const answer = await request(url, {
    method: 'POST',
    headers,
    body: Buffer.isBuffer(body) ? body : Readable.from(inPieces(body)),
  });
  const bytes = Buffer.from(await answer.body.arrayBuffer());
  return { status: answer.statusCode, headers: answer.headers, reply: readReply(bytes) };
};

async function* inPieces(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) {
    await pause(1);
    yield piece;
  }
}

/** Calls one method. */
export const callHessian = (url: string, wire: Wire, method: string, ...args: unknown[]): Promise<Answer> =>
  post(url, hessianCall(wire, method, args));
