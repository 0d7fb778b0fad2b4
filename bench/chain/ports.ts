/** Loopback ports: finding free ones, and waiting until somebody listens. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Child } from './children.ts';

/** So many ports that were free a moment ago, for programs that can't report the port they got. */
export const freePorts = async (count: number): Promise<number[]> => {
  const servers = Array.from({ length: count }, () => createServer());
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  const ports = servers.map(server => (server.address() as AddressInfo).port);
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))));
  return ports;
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
