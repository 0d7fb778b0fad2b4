/** Load program: HTTP/1.1 on raw sockets. Argument: its options as JSON; prints a `LoadResult`. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { traceparent, uniquePath, type Variation } from './fresh-fields.ts';
import { Tally } from './tally.ts';

export interface Http1LoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  readonly variation: Variation;
  /** Requests per second over all connections; 0: each connection sends as soon as it has its answer. */
  readonly rate: number;
  /** Length that each body must have. */
  readonly bodyBytes: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as Http1LoadOptions;
const tally = new Tally();
let sent = 0;
let running = true;

const requestText = (n: number): string => {
  const path = options.variation === 'path' ? uniquePath(n) : '/';
  const fresh = options.variation === 'traceparent' ? `traceparent: ${traceparent(n)}\r\n` : '';
  return `GET ${path} HTTP/1.1\r\nHost: app\r\nUser-Agent: outrider-bench\r\nAccept: */*\r\n${fresh}\r\n`;
};

const HEAD_END = '\r\n\r\n';

class Connection {
  readonly #socket: Socket;
  #sentAt = 0;
  #busy = false;
  /** When requests were due that had to wait for an answer: waiting counts as latency. */
  readonly #due: number[] = [];
  #received: Buffer | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', error => tally.fault(`Socket error: ${error.message}.`));
    socket.on('close', () => running && tally.fault('A connection was closed by the proxy.'));
  }

  /** Sends a request now, or as soon as the present one is answered. */
  send(dueAt = performance.now()): void {
    if (this.#busy) {
      this.#due.push(dueAt);
      return;
    }
    this.#busy = true;
    this.#sentAt = dueAt;
    this.#socket.write(requestText(sent++), 'latin1');
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#received ? Buffer.concat([this.#received, chunk]) : chunk;
    this.#received = bytes;
    const headEnd = bytes.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = bytes.toString('latin1', 0, headEnd);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) {
      tally.fault('An answer without content-length.');
      return;
    }
    const total = headEnd + HEAD_END.length + Number(length);
    if (bytes.length < total) return;
    this.#received = undefined;
    this.#busy = false;
    if (!head.startsWith('HTTP/1.1 200 ')) tally.fault(`An answer ${head.slice(9, 12)}.`);
    else if (Number(length) !== options.bodyBytes || bytes.length > total) tally.fault('A body of the wrong length.');
    else tally.answer(this.#sentAt, options.bodyBytes);
    if (!running) return;
    if (options.rate === 0) this.send();
    else if (this.#due.length > 0) this.send(this.#due.shift());
  }
}

/** Connects one after the other: thousands at once would overflow somebody's backlog. */
const open = (): Promise<Connection> =>
  new Promise((resolve, reject) => {
    const socket = connect(options.port, '127.0.0.1', () => {
      socket.off('error', reject);
      resolve(new Connection(socket));
    });
    socket.once('error', reject);
  });

const connections: Connection[] = [];
for (let i = 0; i < options.connections; i++) connections.push(await open());

/** Sends at the given rate, on the connections in turn. */
const pace = async (): Promise<void> => {
  const begin = performance.now();
  const deadline = begin + options.seconds * 1_000;
  let due = 0;
  let next = 0;
  for (let now = begin; now < deadline; now = performance.now()) {
    for (const until = ((now - begin) / 1_000) * options.rate; due < until; due++) {
      connections[next++ % connections.length]!.send();
    }
    await sleep(2);
  }
};

if (options.rate > 0) {
  await pace();
} else {
  for (const connection of connections) connection.send();
  await sleep(options.seconds * 1_000);
}
running = false;
const result = tally.result();
for (const connection of connections) connection.close();
process.stdout.write(JSON.stringify(result));
