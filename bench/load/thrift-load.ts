/** Load program: framed Thrift calls on raw sockets, one in flight on each. Argument: its options as JSON; prints a `LoadResult`. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readThriftFrames, thriftCall, thriftReply } from '../apps/thrift-message.ts';
import { Tally } from './tally.ts';

export interface ThriftLoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as ThriftLoadOptions;
const tally = new Tally();
let sequence = 0;
let running = true;

const callForever = (socket: Socket): void => {
  let rest: Buffer = Buffer.alloc(0);
  let sentAt = 0;
  let expected: Buffer = Buffer.alloc(0);
  const call = (): void => {
    sequence += 1;
    expected = thriftReply(sequence);
    sentAt = performance.now();
    socket.write(thriftCall(sequence));
  };
  socket.on('data', (chunk: Buffer) => {
    rest = readThriftFrames(rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk, frame => {
      if (frame.equals(expected)) tally.answer(sentAt, frame.length);
      else tally.fault('A wrong reply.');
      if (running) call();
    });
  });
  call();
};

const sockets: Socket[] = [];
for (let i = 0; i < options.connections; i++) {
  const socket = connect(options.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.setNoDelay(true);
  socket.on('error', error => tally.fault(`Socket error: ${error.message}.`));
  socket.on('close', () => running && tally.fault('A connection was closed by the proxy.'));
  sockets.push(socket);
}
sockets.forEach(callForever);
await sleep(options.seconds * 1_000);
running = false;
const result = tally.result();
for (const socket of sockets) socket.destroy();
process.stdout.write(JSON.stringify(result));
