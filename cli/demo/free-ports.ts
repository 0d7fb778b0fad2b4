import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';

/** Below the range from which systems take ports for whoever asks for any (Linux: from 32768), so that nobody gets one between our look and its use. */
const LOWEST = 12_000;
const HIGHEST = 32_000;

/** So many different ports that are free on 127.0.0.1 now. `random`: 0 up to 1. */
export const freePorts = async (count: number, random: () => number): Promise<number[]> => {
  const servers: Server[] = [];
  while (servers.length < count) {
    const server = createServer();
    const isFree = once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.listen(LOWEST + Math.floor(random() * (HIGHEST - LOWEST)), '127.0.0.1');
    if (await isFree) servers.push(server);
  }
  const ports = servers.map(server => (server.address() as AddressInfo).port);
  await Promise.all(servers.map(server => once(server.close(), 'close')));
  return ports;
};
