/** Free TCP ports of this machine, for processes that take their ports from the environment. */
import { createServer, type Server } from 'node:net';

/** Below Linux's ephemeral range (32768–60999), so that no outgoing connection takes a port between our look and its use. */
const LOWEST = 12_000;
const HIGHEST = 32_000;

const listen = (port: number): Promise<Server | undefined> => {
  const { promise, resolve } = Promise.withResolvers<Server | undefined>();
  const server = createServer();
  server.once('error', () => resolve(undefined));
  server.listen({ port, host: '127.0.0.1' }, () => resolve(server));
  return promise;
};

/** So many different ports that were free on 127.0.0.1 a moment ago. */
export const freePorts = async (count: number): Promise<number[]> => {
  const held = new Map<number, Server>();
  while (held.size < count) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    const server = held.has(port) ? undefined : await listen(port);
    if (server) held.set(port, server);
  }
  for (const server of held.values()) server.close();
  return [...held.keys()];
};

/** One free port. */
export const freePort = async (): Promise<number> => (await freePorts(1))[0]!;
