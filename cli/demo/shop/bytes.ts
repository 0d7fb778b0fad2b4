/** Protocols on bare TCP, as their libraries do it: a message goes there, one comes back. */
import { connect, createServer } from 'node:net';

const TIMEOUT_MS = 5_000;

/** The length of the message that the bytes begin with; undefined while it is not whole. */
export type Measure = (bytes: Buffer) => number | undefined;

/** Serves on 127.0.0.1, one message of a connection after the other. */
export const serveBytes = (port: number, measure: Measure, answer: (message: Buffer) => Buffer): void => {
  const server = createServer(socket => {
    let waiting: Buffer = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      waiting = Buffer.concat([waiting, bytes]);
      for (let length = measure(waiting); length !== undefined; length = measure(waiting)) {
        socket.write(answer(waiting.subarray(0, length)));
        waiting = waiting.subarray(length);
      }
    });
  });
  server.listen(port, '127.0.0.1');
  process.once('SIGTERM', () => process.exit(0));
};

/** The first message that comes back over a connection of its own. `service`: its address is in `OUTRIDER_UPSTREAM_…`. */
export const exchange = (service: string, measure: Measure, message: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const [host = '', port = ''] = (process.env[`OUTRIDER_UPSTREAM_${service.toUpperCase()}`] ?? '').split(':');
    const socket = connect({ host, port: Number(port), timeout: TIMEOUT_MS });
    let received: Buffer = Buffer.alloc(0);
    socket.on('timeout', () => socket.destroy(new Error('no answer in time')));
    socket.on('error', error => reject(new Error(`${service}: ${error.message}`)));
    socket.on('close', () => reject(new Error(`${service}: ended without an answer`)));
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const length = measure(received);
      if (length === undefined) return;
      resolve(received.subarray(0, length));
      socket.end();
    });
    socket.write(message);
  });
