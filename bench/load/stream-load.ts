/** Load program: one long HTTP/1.1 response after another, on one raw socket. Argument: its options as JSON; prints a `LoadResult`. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Tally } from './tally.ts';

export interface StreamLoadOptions {
  readonly port: number;
  readonly path: string;
  readonly seconds: number;
  /** Length of each response, head not counted. */
  readonly bodyBytes: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as StreamLoadOptions;
const tally = new Tally();
let running = true;

const socket = connect(options.port, '127.0.0.1');
let left = 0;
let sentAt = 0;

const request = (): void => {
  sentAt = performance.now();
  socket.write(`GET ${options.path} HTTP/1.1\r\nHost: app\r\n\r\n`);
};

socket.on('connect', request);
socket.on('error', error => tally.fault(`Socket error: ${error.message}.`));
socket.on('close', () => running && tally.fault('The connection was closed by the proxy.'));
socket.on('data', (chunk: Buffer) => {
  let bytes = chunk.length;
  if (left === 0) {
    const head = chunk.toString('latin1', 0, chunk.indexOf('\r\n\r\n') + 4);
    if (!head.startsWith('HTTP/1.1 200 ') || head.length < 20) tally.fault(`An answer ${head.slice(9, 12)}.`);
    bytes -= head.length;
    left = options.bodyBytes;
  }
  left -= bytes;
  tally.bytes(bytes);
  if (left > 0) return;
  tally.answer(sentAt, 0);
  if (running) request();
});

await sleep(options.seconds * 1_000);
running = false;
const result = tally.result();
socket.destroy();
process.stdout.write(JSON.stringify(result));
