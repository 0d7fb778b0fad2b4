/**
 * Mutated HTTP/2 against the codec: `node test/fuzz/http2.ts [--count 100000] [--seed N]`. Prints the seed.
 * Both roles must never throw or hang; never tell of an incomplete or invalid head, or of a body as complete that is not; give every account
 * back; write only well-formed frames; and tell and answer the same however the bytes are cut. What goes on as HTTP/1 must have one reading.
 */

import { deepStrictEqual, ok, strictEqual } from 'node:assert';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { manualClock } from '../../common/clock.ts';
import { seededRandom } from '../../common/random.ts';
import { type FieldList, Fields, fieldValue, RequestHead, ResponseHead } from '../../sidecar/protocol/head.ts';
import { Http2ClientConnection } from '../../sidecar/protocol/http2/forward.ts';
import { encodeFields, writeVolatileField } from '../../sidecar/protocol/http2/hpack/encoder.ts';
import { Http2ServerConnection } from '../../sidecar/protocol/http2/serve.ts';
import { BlockPool } from '../../sidecar/protocol/outbox.ts';
import type { Downstream, Upstream } from '../../sidecar/protocol/stream.ts';
import { Account } from '../unit/sidecar/protocol/account.ts';
import {
  ACK,
  block,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  goaway,
  headers,
  PADDED,
  PREFACE,
  PRIORITY,
  ping,
  rst,
  settings,
  WireSocket,
  windowUpdate,
} from '../unit/sidecar/protocol/http2/wire.ts';
import { hasOneReading } from './http1/written-request.ts';

const FORBIDDEN = /[\0\r\n]/;
const OK = new ResponseHead(200, new Fields([]));
const BLOCKS = new BlockPool();

/** One direction of an exchange, as it was told. Asserts that nothing comes after the end, and that what ends was complete. */
class Told {
  readonly name: string;
  readonly start: string;
  private readonly length: number;
  private body = '';
  private state: 'open' | 'complete' | 'reset' = 'open';
  private trailers: FieldList = [];

  constructor(name: string, start: string, volatile: FieldList, fields: FieldList, end: boolean, bodyless: boolean) {
    this.name = name;
    this.start = start;
    for (const text of [start, ...volatile, ...fields]) ok(!FORBIDDEN.test(text), 'a head holds no CR, LF or NUL');
    const length = fieldValue(volatile, 'content-length');
    ok(length === undefined || /^[0-9]+$/.test(length), 'content-length is a number');
    strictEqual(volatile.filter((name, i) => i % 2 === 0 && name === 'content-length').length <= 1, true);
    this.length = length === undefined || bodyless ? -1 : Number(length);
    if (end) this.complete();
  }
  data(chunk: Buffer, end: boolean): void {
    strictEqual(this.state, 'open', 'nothing comes after the end');
    this.body += chunk.toString('latin1');
    if (end) this.complete();
  }
  end(trailers: FieldList): void {
    strictEqual(this.state, 'open', 'nothing comes after the end');
    this.trailers = trailers;
    this.complete();
  }
  reset(): void {
    this.state = 'reset';
  }
  private complete(): void {
    ok(this.length === -1 || this.length === this.body.length, 'a body that is told as complete has its length');
    this.state = 'complete';
  }
  /** The request goes on as HTTP/1, where it must have one reading. A tunnel has no body that could be read in two ways. */
  goesOn(head: RequestHead, volatile: FieldList): void {
    if (this.state !== 'complete' || head.method === 'CONNECT' || head.protocol !== '') return;
    hasOneReading({ head, volatile, body: this.body }, this.trailers, this.start);
  }
  get text(): string {
    // How much of a body comes before the frame that breaks the rules may follow the cuts.
    return `${this.name} ${this.start} ${this.state} ${this.state === 'complete' ? this.body : ''} ${this.trailers.join(' ')}`;
  }
}

/** What was told and what was written. DATA is joined, credit is left out: they may follow the cuts. */
type Transcript = readonly string[];

const transcript = (told: readonly Told[], socket: WireSocket, account: Account): Transcript => {
  socket.emit('close');
  strictEqual(account.held, 0, 'nothing stays held');
  strictEqual(account.reserved, 0, 'nothing stays reserved');
  const lines = socket.lines.filter(line => !line.startsWith('WINDOW_UPDATE') && !line.startsWith('DATA'));
  return [...told.map(({ text }) => text), ...lines];
};

const contextOf = (account: Account, link: boolean) => ({
  account,
  blocks: BLOCKS,
  clock: manualClock(),
  link,
  hello: Buffer.alloc(0),
  onPeer: () => {},
  maxConcurrentStreams: 4,
  onClose: () => {},
});

/** What a server connection makes of `parts`. Answers every complete request, some with a body and trailers. */
const serve = (parts: readonly Buffer[], link: boolean): Transcript => {
  const account = new Account();
  const socket = new WireSocket(false);
  const told: Told[] = [];
  const connection = new Http2ServerConnection(socket, {
    ...contextOf(account, link),
    onRequest: (downstream: Downstream, head, volatile, end) => {
      ok(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(head.method) && /^(?:\/|\*|$)/.test(head.path), 'the head is valid');
      const start = `${head.method} ${head.scheme} ${head.authority} ${head.path} ${head.protocol}`;
      const request = new Told(`request ${told.length}`, start, volatile, head.fields.list, end, false);
      told.push(request);
      const answer = (): void => {
        request.goesOn(head, volatile);
        const plain = head.path.length % 2 === 0;
        downstream.sendHead(head.protocol === '' ? OK : new ResponseHead(101, OK.fields), [], plain);
        if (!plain) downstream.sendData(Buffer.from('answer'), false);
        if (!plain) downstream.sendTrailers(['grpc-status', '0']);
      };
      if (end) answer();
      return {
        requestData: (chunk, last) => {
          request.data(chunk, last);
          downstream.requestConsumed(chunk.length);
          if (last) answer();
        },
        requestTrailers: list => {
          request.end(list);
          answer();
        },
        requestReset: () => request.reset(),
        responseConsumed: () => {},
      };
    },
    answer: downstream => {
      downstream.sendHead(new ResponseHead(431, OK.fields), [], false);
      downstream.sendData(Buffer.from('large'), true);
    },
  });
  for (const part of parts) connection.push(part);
  return transcript(told, socket, account);
};

/** What a client connection with four requests under way makes of `parts`. */
const receive = (parts: readonly Buffer[], link: boolean): Transcript => {
  const account = new Account();
  const socket = new WireSocket(true);
  const told: Told[] = [];
  const connection = new Http2ClientConnection(socket, {
    ...contextOf(account, link),
    onRetire: () => {},
    onRoom: () => {},
  });
  for (const [i, method] of ['GET', 'HEAD', 'POST', 'CONNECT'].entries()) {
    let response: Told | undefined;
    const upstream: Upstream = connection.request(
      {
        informational: head => ok(head.status > 99 && head.status < 200),
        responseHead: (head, volatile, end) => {
          strictEqual(response, undefined, 'one head');
          ok(head.status >= 101 && head.status < 600, 'a valid status');
          const bodyless = method !== 'GET' && method !== 'POST';
          const length = bodyless || head.status === 204 || head.status === 304;
          response = new Told(`response ${i}`, String(head.status), volatile, head.fields.list, end, length);
          told.push(response);
        },
        responseData: (chunk, end) => {
          response?.data(chunk, end);
          ok(response !== undefined, 'no body comes before its head');
          upstream.responseConsumed(chunk.length);
        },
        responseTrailers: list => response?.end(list),
        responseReset: () => response?.reset(),
        requestConsumed: () => {},
      },
      new RequestHead(method, 'http', 'a', method === 'CONNECT' ? '' : '/', OK.fields),
      [],
      method !== 'POST' && method !== 'CONNECT',
    );
    if (method === 'POST') upstream.sendData(Buffer.from('upload'), true);
  }
  for (const part of parts) connection.push(part);
  return transcript(told, socket, account);
};

const tail = (list: readonly string[]): Buffer => {
  const out = Buffer.alloc(1_024);
  let at = 0;
  for (let i = 0; i < list.length; i += 2) at = writeVolatileField(out, at, list[i]!, list[i + 1]!);
  return out.subarray(0, at);
};

const LINES = [
  [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'a'],
  [':method', 'POST', ':scheme', 'http', ':path', '/x', ':authority', 'a', 'content-length', '5'],
  [':method', 'CONNECT', ':protocol', 'websocket', ':scheme', 'http', ':path', '/chat', ':authority', 'a'],
  [':method', 'CONNECT', ':authority', 'a:1'],
];
const STATUSES = [
  [':status', '200', 'content-length', '5'],
  [':status', '200'],
  [':status', '100'],
  [':status', '304', 'content-length', '5'],
];
const FIELDS = [
  ['x', 'y'],
  ['traceparent', '1'],
  ['cookie', 'a'],
  ['host', 'a'],
  ['te', 'trailers'],
  ['outrider-h1', '1.1;'],
  ['content-length', '5'],
  ['X', 'y'],
  ['x', 'a\r\n\r\nGET /s HTTP/1.1\r\nHost: a'],
  ['transfer-encoding', 'chunked'],
  ['content-length', '05'],
  ['outrider-h1', '1.1;Host,Transfer-Encoding,Content-Length,x'],
  ['outrider-h1', '1.0;a\r\nb'],
  ['x', 'a\rb'],
  ['connection', 'close'],
  ['outrider-to', 'a.b'],
];

/** Runs `count` cases. Throws an AssertionError for the case that fails; `told`: exchanges that were told of. */
export const fuzzHttp2 = (count: number, seed: number): { readonly told: number; readonly ended: number } => {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const bytes = (most: number): Buffer => Buffer.from(Array.from({ length: below(most) }, () => below(256)));
  /** Streams that a request has opened; seldom another one. */
  let opened = 0;
  const stream = (): number => (random() < 0.03 ? below(12) : 1 + 2 * below(Math.max(1, opened)));
  const streamOfHead = (client: boolean): number => {
    if (client || random() < 0.15) return stream();
    opened++;
    return 2 * opened - 1;
  };
  /** A header block: indexed, inserting, never-indexed, resized, or nonsense. */
  const headerBlock = (lines: readonly (readonly string[])[]): Buffer => {
    const list = random() < 0.9 ? [...pick(lines)] : [];
    for (let i = below(4); i > 0; i--) list.push(...pick(FIELDS));
    const at = 2 * below(list.length / 2 + 1);
    const parts = [
      encodeFields(list.slice(0, at)),
      random() < 0.5 ? encodeFields(list.slice(at)) : tail(list.slice(at)),
    ];
    if (random() < 0.3) parts.push(Buffer.from([0x40, 1, 0x6e, 1, 97 + below(26)]));
    if (random() < 0.2) parts.push(Buffer.from([0xbe + below(3)]));
    if (random() < 0.1) parts.unshift(Buffer.from([0x20 + below(32)]));
    if (random() < 0.03) parts.push(bytes(9));
    return Buffer.concat(parts);
  };
  const makeFrames = (client: boolean): Buffer[] => {
    const lines = client ? STATUSES : LINES;
    const kind = opened === 0 ? 0 : below(17);
    const id = [0, 1, 2, 3, 8].includes(kind) ? streamOfHead(client) : stream();
    const end = random() < 0.5 ? END_STREAM : 0;
    switch (kind) {
      case 0:
      case 1:
      case 2:
        return [block(id, headerBlock(lines), end)];
      case 3: {
        const whole = headerBlock(lines);
        const at = below(whole.length);
        return [
          frame('HEADERS', end, id, whole.subarray(0, at)),
          frame('CONTINUATION', END_HEADERS, id, whole.subarray(at)),
        ];
      }
      case 4:
      case 5:
      case 6:
      case 14:
      case 15:
      case 16:
        return [data(id, pick(['hello', 'hel', 'lo', '', 'x'.repeat(below(3_000))]), end)];
      case 7:
        return [
          frame(
            'DATA',
            PADDED | end,
            id,
            Buffer.concat([Buffer.from([below(8)]), Buffer.from('hello'), Buffer.alloc(below(8))]),
          ),
        ];
      case 8:
        return [
          frame(
            'HEADERS',
            PADDED | PRIORITY | END_HEADERS | end,
            id,
            Buffer.concat([Buffer.from([2, 0, 0, 0, 9, 1]), headerBlock(lines), Buffer.alloc(2)]),
          ),
        ];
      case 9:
        return [rst(id, below(14))];
      case 10:
        return [windowUpdate(id, pick([0, 1, 1_000, 1_000, 1_000, 0x7fffffff])), ping(pick([0, ACK]))];
      case 11:
        return [settings({ [pick([1, 3, 4, 4, 5, 8, 99])]: pick([0, 1, 100, 65_535, 16_384]) })];
      case 12:
        return [headers(id, pick(FIELDS), END_STREAM)];
      default:
        return [
          pick([
            goaway(pick([0, 1, 3, 0x7fffffff]), below(14)),
            frame(below(16), below(256), id, bytes(30)),
            frame(0x42, 0, id, bytes(30)),
            frame('PEER', 0, 0, bytes(9)),
          ]),
        ];
    }
  };
  const cut = (whole: Buffer): Buffer[] => {
    const parts: Buffer[] = [];
    const small = random() < 0.3;
    for (let at = 0; at < whole.length; ) {
      const end = at + 1 + below(small ? 4 : whole.length);
      parts.push(Buffer.from(whole.subarray(at, end)));
      at = end;
    }
    return parts;
  };
  let told = 0;
  let ended = 0;
  for (let i = 0; i < count; i++) {
    const client = i % 3 === 2;
    opened = client ? 4 : 0;
    const run = client ? receive : serve;
    const parts = [...(client ? [] : [PREFACE]), settings()];
    for (let n = 1 + below(12); n > 0; n--) parts.push(...makeFrames(client));
    const whole = Buffer.concat(parts);
    for (let n = below(3); n > 0 && random() < 0.3; n--) whole[below(whole.length)] = below(256);
    const link = random() < 0.3;
    try {
      const once = run([whole], link);
      deepStrictEqual(run(cut(whole), link), once, 'however it is cut');
      deepStrictEqual(
        run(
          Array.from(whole, (_, at) => whole.subarray(at, at + 1)),
          link,
        ),
        once,
        'byte by byte',
      );
      told += once.filter(line => /^re(?:quest|sponse) /.test(line)).length;
      if (once.some(line => line.startsWith('GOAWAY') && !line.endsWith(' 0'))) ended++;
    } catch (error) {
      console.error(`${client ? 'client' : 'server'}${link ? ', link' : ''}: ${whole.toString('hex')}`);
      throw error;
    }
  }
  return { told, ended };
};

const BATCH = 1_000;

if (import.meta.main) {
  const { values } = parseArgs({ options: { count: { type: 'string', default: '100000' }, seed: { type: 'string' } } });
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  const started = performance.now();
  let told = 0;
  let ended = 0;
  // In batches, each with a seed of its own: what connections leave for the next turn of the event loop keeps them alive until then.
  for (let done = 0; done < Number(values.count); done += BATCH) {
    console.log(`seed ${seed + done}`);
    const batch = fuzzHttp2(Math.min(BATCH, Number(values.count) - done), seed + done);
    told += batch.told;
    ended += batch.ended;
    await setImmediate();
  }
  const ms = Math.round(performance.now() - started);
  console.log(`${values.count} cases, ${told} exchanges told of, ${ended} connections ended for an error, ${ms} ms`);
}
