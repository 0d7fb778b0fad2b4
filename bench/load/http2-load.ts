/** Load program: HTTP/2 on raw sockets. Argument: its options as JSON; prints a `LoadResult`. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { traceparent, uniquePath, type Variation } from './fresh-fields.ts';
import { TableEncoder, type TableField, writeInteger, writeString } from './hpack.ts';
import * as http2 from './http2-frames.ts';
import { Tally } from './tally.ts';

export interface Http2LoadOptions {
  readonly port: number;
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly streams: number;
  readonly seconds: number;
  readonly variation: Variation;
  /** Length that each body must have. */
  readonly bodyBytes: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as Http2LoadOptions;
const tally = new Tally();
let sent = 0;
let running = true;

const WINDOW = 0x7fff_0000;
const METHOD_GET = 0x82;
const PATH_ROOT = 0x84;
const SCHEME_HTTP = 0x86;
const PATH_NAME = 4;
const STATUS_200 = 0x88;

const AUTHORITY: TableField = { name: ':authority', staticName: 1 };
const ACCEPT: TableField = { name: 'accept', staticName: 19 };
const USER_AGENT: TableField = { name: 'user-agent', staticName: 58 };
const TRACEPARENT: TableField = { name: 'traceparent', staticName: 0 };

/** The index of the first field, after any changes of the table's size: `:status` always comes first. */
const firstField = (chunk: Buffer, at: number): number => {
  while ((chunk[at]! & 0xe0) === 0x20) {
    const long = (chunk[at++]! & 0x1f) === 0x1f;
    if (long) while (chunk[at++]! & 0x80);
  }
  return chunk[at]!;
};

class Connection {
  readonly #socket: Socket;
  readonly #encoder: TableEncoder;
  readonly #open = new Map<number, { readonly sentAt: number; bytes: number }>();
  readonly #out = Buffer.alloc(65_536);
  #outBytes = 0;
  #nextStream = 1;
  #rest: Buffer | undefined;
  #consumed = 0;

  constructor(socket: Socket, peerTableBytes: number) {
    this.#socket = socket;
    this.#encoder = new TableEncoder(peerTableBytes);
  }

  start(): void {
    for (let i = 0; i < options.streams; i++) this.#request();
    this.#flush();
  }

  read(chunk: Buffer): void {
    this.#rest = http2.readFrames(this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk, this.#onFrame);
    if (this.#consumed > 1_000_000_000) {
      this.#socket.write(http2.windowUpdate(0, this.#consumed));
      this.#consumed = 0;
    }
    this.#flush();
  }

  #request(): void {
    const out = this.#out;
    if (out.length - this.#outBytes < 512) this.#flush();
    const begin = this.#outBytes;
    const n = sent++;
    let at = this.#encoder.begin(out, begin + http2.FRAME_HEAD_BYTES);
    out[at++] = METHOD_GET;
    out[at++] = SCHEME_HTTP;
    at = this.#encoder.write(out, at, AUTHORITY, 'app');
    if (options.variation === 'path') at = writeString(out, writeInteger(out, at, 0, 4, PATH_NAME), uniquePath(n));
    else out[at++] = PATH_ROOT;
    at = this.#encoder.write(out, at, USER_AGENT, 'outrider-bench');
    at = this.#encoder.write(out, at, ACCEPT, '*/*');
    if (options.variation === 'traceparent') at = this.#encoder.write(out, at, TRACEPARENT, traceparent(n));
    const length = at - begin - http2.FRAME_HEAD_BYTES;
    http2.writeFrameHead(out, begin, length, http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, this.#nextStream);
    this.#open.set(this.#nextStream, { sentAt: performance.now(), bytes: 0 });
    this.#nextStream += 2;
    this.#outBytes = at;
  }

  #flush(): void {
    if (this.#outBytes > 0) this.#socket.write(Buffer.from(this.#out.subarray(0, this.#outBytes)));
    this.#outBytes = 0;
  }

  readonly #onFrame: http2.OnFrame = (type, flags, stream, chunk, start, end) => {
    if (type === http2.SETTINGS && !(flags & http2.ACK)) {
      this.#socket.write(http2.frame(http2.SETTINGS, http2.ACK, 0, Buffer.alloc(0)));
    } else if (type === http2.PING && !(flags & http2.ACK)) {
      this.#socket.write(http2.frame(http2.PING, http2.ACK, 0, Buffer.from(chunk.subarray(start, end))));
    } else if (type === http2.GOAWAY) {
      if (running) tally.fault('The proxy sent GOAWAY.');
    } else if (type === http2.HEADERS || type === http2.DATA || type === http2.RST_STREAM) {
      this.#onStream(type, flags, stream, chunk, start, end);
    }
  };

  #onStream(type: number, flags: number, stream: number, chunk: Buffer, start: number, end: number): void {
    const open = this.#open.get(stream);
    if (!open) return;
    if (type === http2.HEADERS) {
      const fields = start + (flags & http2.PADDED ? 1 : 0) + (flags & http2.PRIORITY ? 5 : 0);
      if (firstField(chunk, fields) !== STATUS_200) tally.fault('An answer other than 200.');
    } else if (type === http2.DATA) {
      open.bytes += end - start;
      this.#consumed += end - start;
    }
    const reset = type === http2.RST_STREAM;
    if (!reset && !(flags & http2.END_STREAM)) return;
    this.#open.delete(stream);
    if (reset) tally.fault('A stream was reset.');
    else if (open.bytes !== options.bodyBytes) tally.fault('A body of the wrong length.');
    else tally.answer(open.sentAt, open.bytes);
    if (running) this.#request();
  }
}

/** Connects and waits for the proxy's SETTINGS, which say how large a table it has. */
const open = async (): Promise<{ connection: Connection; socket: Socket }> => {
  const socket = connect(options.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.setNoDelay(true);
  socket.on('error', error => tally.fault(`Socket error: ${error.message}.`));
  socket.write(
    Buffer.concat([
      http2.PREFACE,
      http2.settings([[http2.SETTINGS_INITIAL_WINDOW_SIZE, WINDOW]]),
      http2.windowUpdate(0, WINDOW),
    ]),
  );
  let received = Buffer.alloc(0);
  let tableBytes: number | undefined;
  while (tableBytes === undefined) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    received = Buffer.concat([received, chunk]);
    http2.readFrames(received, (type, flags, _stream, bytes, start, end) => {
      if (type === http2.SETTINGS && !(flags & http2.ACK)) {
        tableBytes = http2.settingOf(bytes, start, end, http2.SETTINGS_HEADER_TABLE_SIZE) ?? 4_096;
      }
    });
  }
  const connection = new Connection(socket, tableBytes);
  socket.on('data', (chunk: Buffer) => connection.read(chunk));
  socket.on('close', () => running && tally.fault('A connection was closed by the proxy.'));
  connection.read(received);
  return { connection, socket };
};

const opened = [];
for (let i = 0; i < options.connections; i++) opened.push(await open());
for (const { connection } of opened) connection.start();
await sleep(options.seconds * 1_000);
running = false;
const result = tally.result();
for (const { socket } of opened) socket.destroy();
process.stdout.write(JSON.stringify(result));
