/**
 * Mutated Thrift messages against both sides of the codec: `node test/fuzz/thrift.ts [--count 100000] [--seed N]`. Prints the seed.
 * However a connection's bytes are cut, the calls that are read are the same, and so is how it ends; nothing throws, nothing that waits is larger
 * than a window, all that was counted as buffered is released, and what goes to the app is whole calls with another sequence number, or is cut off by a reset.
 */
import { deepStrictEqual, ok, strictEqual } from 'node:assert';
import { PassThrough } from 'node:stream';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../common/random.ts';
import { detectThrift } from '../../sidecar/detect/detect-thrift.ts';
import { Fields, NO_FIELDS, ResponseHead } from '../../sidecar/protocol/head.ts';
import type { RequestSink } from '../../sidecar/protocol/stream.ts';
import { CallHeads } from '../../sidecar/protocol/thrift/call-heads.ts';
import { ThriftClientConnection } from '../../sidecar/protocol/thrift/forward.ts';
import { ThriftServerConnection } from '../../sidecar/protocol/thrift/serve.ts';
import { randomMessage } from '../support/random-thrift.ts';
import { type Protocol, type Transport, thriftReply, wrap } from '../support/thrift-bytes.ts';

const WINDOW_BYTES = 65_536;
const OTHER = new ResponseHead(503, new Fields(NO_FIELDS));

/** Counts what is held, as the sidecar's budget does. */
const newAccount = () => {
  const account = {
    held: 0,
    most: 0,
    hold: (bytes: number): void => {
      account.held += bytes;
      account.most = Math.max(account.most, account.held);
    },
    release: (bytes: number): void => {
      account.held -= bytes;
    },
    roomToGrow: true,
  };
  return account;
};

interface Seen {
  readonly path: string;
  readonly body: string;
  readonly end: 'whole' | 'reset' | 'open';
}

/** A socket that remembers what is written and never passes it on. */
const newSocket = (): PassThrough => {
  const socket = new PassThrough();
  socket.write = () => true;
  return socket;
};

/** What a server connection makes of these pieces; each call is answered at once when it is whole. */
const serve = (
  pieces: readonly Buffer[],
  detected: Exclude<ReturnType<typeof detectThrift>, 'tcp' | undefined>,
): readonly Seen[] => {
  const account = newAccount();
  const seen: Seen[] = [];
  const socket = newSocket();
  const connection = new ThriftServerConnection(socket, {
    ...detected,
    isOneway: () => false,
    maxParallel: 1,
    authority: 'calc',
    heads: new CallHeads(),
    account,
    onProtocolError: () => {},
    onClose: () => {},
    onRequest: (downstream, head): RequestSink => {
      const at = seen.push({ path: head.path, body: '', end: 'open' }) - 1;
      return {
        requestData: (chunk, end) => {
          const known = seen[at] as Seen;
          seen[at] = { path: known.path, body: known.body + chunk.toString('hex'), end: end ? 'whole' : known.end };
          downstream.requestConsumed(chunk.length);
          if (end) downstream.sendHead(OTHER, NO_FIELDS, true);
        },
        requestTrailers: () => {},
        requestReset: () => {
          const known = seen[at] as Seen;
          if (known.end === 'open') seen[at] = { path: known.path, body: '', end: 'reset' };
        },
        responseConsumed: () => {},
      };
    },
  });
  for (const piece of pieces) connection.push(piece);
  connection.close();
  ok(account.most <= 2 * WINDOW_BYTES, `${account.most} bytes were held`);
  strictEqual(account.held, 0, 'everything is released');
  // Of a call that was cut off only its beginning counts.
  return seen.map(call => (call.end === 'whole' ? call : { ...call, body: '' }));
};

/** What a client connection makes of an app's reply. */
const call = (pieces: readonly Buffer[], transport: Transport, protocol: Protocol): string => {
  const account = newAccount();
  const socket = newSocket();
  let outcome = '';
  let body = '';
  const connection = new ThriftClientConnection(socket, { account, onIdle: () => {}, onClose: () => {} });
  const heads = new CallHeads();
  const wire = { transport, protocol };
  const message = randomMessage(protocol, () => 0, 1, 'get', 9);
  const content = transport === 'unframed' ? message : wrap(wire, 9, message).subarray(4);
  const start = { name: 'get', protocol, headers: [] } as unknown as Parameters<CallHeads['get']>[2];
  const volatile = transport === 'unframed' ? NO_FIELDS : ['content-length', String(content.length)];
  const upstream = connection.request(
    {
      informational: () => {},
      responseHead: head => {
        outcome = `${head.status}`;
      },
      responseData: (chunk, end) => {
        body += chunk.toString('hex');
        upstream.responseConsumed(chunk.length);
        if (end) outcome += ' whole';
      },
      responseTrailers: () => {},
      responseReset: error => {
        outcome = `${error.code} ${error.detail}`;
        body = '';
      },
      requestConsumed: () => {},
    },
    heads.get('calc', transport, start, false),
    volatile,
    false,
  );
  upstream.sendData(content, true);
  for (const piece of pieces) socket.emit('data', piece);
  connection.close();
  strictEqual(account.held, 0, 'everything is released');
  return `${outcome} ${outcome.endsWith('whole') ? body : ''}`;
};

/** Runs `count` messages. Throws an AssertionError for the one that fails. */
export const fuzzThrift = (count: number, seed: number): { readonly calls: number; readonly tcp: number } => {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const cut = (bytes: Buffer): readonly Buffer[] => {
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + below(below(3) === 0 ? 3 : bytes.length);
      pieces.push(bytes.subarray(at, at + size));
      at += size;
    }
    return pieces;
  };
  const mutate = (bytes: Buffer): Buffer => {
    const out = Buffer.from(bytes);
    for (let i = below(4); i > 0; i--) out[below(below(2) === 0 ? 24 : out.length)] = below(256);
    return below(10) === 0 ? out.subarray(0, below(out.length)) : out;
  };
  let calls = 0;
  let tcp = 0;
  for (let i = 0; i < count; i++) {
    const transport = (['framed', 'unframed', 'header'] as const)[below(3)] as Transport;
    const protocol = (['binary', 'compact'] as const)[below(2)] as Protocol;
    const wire = { transport, protocol, headers: { a: 'b' } };
    const messages = Array.from({ length: 1 + below(3) }, (_, n) =>
      wrap(wire, n, randomMessage(protocol, below, below(9) === 0 ? 4 : 1, 'Calc:add', n)),
    );
    const bytes = mutate(Buffer.concat(messages));
    const detected = detectThrift(bytes);
    if (detected === undefined || detected === 'tcp') tcp++;
    else {
      const whole = serve([bytes], detected);
      deepStrictEqual(serve(cut(bytes), detected), whole);
      calls += whole.length;
    }
    const reply = mutate(thriftReply(wire, 'get', 1, 'x'.repeat(below(200))));
    strictEqual(call(cut(reply), transport, protocol), call([reply], transport, protocol));
  }
  return { calls, tcp };
};

if (import.meta.main) {
  const { values } = parseArgs({ options: { count: { type: 'string' }, seed: { type: 'string' } } });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const count = Number(values.count ?? 100_000);
  console.log(`seed ${seed}`);
  const { calls, tcp } = fuzzThrift(count, seed);
  console.log(`${count} connections: ${calls} calls read, ${tcp} connections carried as TCP`);
}
