import net from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY_MS = 50;
const ANSWER_MS = 250;

/** Resolves when every port takes connections; never, when the signal is given before. */
export const portsAreOpen = async (host: string, ports: readonly number[], signal: AbortSignal): Promise<boolean> => {
  for (const port of ports)
    while (!(await takesConnections(host, port))) {
      if (signal.aborted) return false;
      await pause(LOOK_EVERY_MS);
    }
  return true;
};

/** Addresses at which other machines reach one of the ports without the sidecar. */
export const openAddresses = async (ports: readonly number[]): Promise<string[]> => {
  const hosts = Object.values(networkInterfaces())
    .flatMap(all => all ?? [])
    .filter(({ internal, scopeid }) => !internal && !scopeid)
    .map(({ address }) => address);
  const open = await Promise.all(
    hosts.flatMap(host =>
      ports.map(async port => {
        const isOpen = await takesConnections(host, port);
        return isOpen ? [host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`] : [];
      }),
    ),
  );
  return open.flat();
};

const takesConnections = (host: string, port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = net.connect({ host, port, timeout: ANSWER_MS });
    const answer = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket
      .once('connect', () => answer(true))
      .once('timeout', () => answer(false))
      .on('error', () => answer(false));
  });
