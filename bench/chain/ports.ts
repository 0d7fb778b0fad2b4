/** Loopback ports: finding free ones, and waiting until somebody listens. */
import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Child } from './children.ts';

/**
 * Below the range from which Linux takes the ports of outgoing connections (`ip_local_port_range`): else the load of another run,
 * with its thousands of connections, would take a port between the look and the use.
 */
const FIRST_PORT = 12_000;
const LAST_PORT = 32_000;

const isFree = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

/** So many distinct ports that were free a moment ago, for programs that can't report the port they got. */
export const freePorts = async (count: number): Promise<number[]> => {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
};

const accepts = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

/** Polls `ready` until it holds. @throws when the child ends first or `timeoutMs` pass. */
export const waitUntil = async (child: Child, ready: () => Promise<boolean>, timeoutMs = 10_000): Promise<void> => {
  const deadline = performance.now() + timeoutMs;
  while (!(await ready())) {
    if (!child.running) throw new Error(`it ended at once: ${child.lastWords}`);
    if (performance.now() > deadline)
      throw new Error(`it was not ready after ${timeoutMs / 1_000} s: ${child.lastWords}`);
    await sleep(10);
  }
};

export const waitUntilListening = (child: Child, port: number): Promise<void> => waitUntil(child, () => accepts(port));
