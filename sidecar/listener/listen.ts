import net from 'node:net';
import type { Address } from '../config.ts';

/** A peer from which nothing came for so long is asked by TCP whether it is still there; Linux asks nine times, 75 s apart. */
const KEEP_ALIVE_MS = 60_000;

/** A listening socket. Owned by the proxy. */
export class Listener implements AsyncDisposable {
  readonly name: string;
  private readonly server: net.Server;

  private constructor(name: string, server: net.Server) {
    this.name = name;
    this.server = server;
  }

  /**
   * Listens; resolves when connections can come in. `host` `::` takes IPv4 too, and falls back to `0.0.0.0` where there is no IPv6.
   * `reusePort`: others may listen on the same port, and the system spreads the connections over them (Linux: SO_REUSEPORT).
   * @throws the system's error, with the address in its message.
   */
  static async open(
    name: string,
    address: Address,
    onSocket: (socket: net.Socket) => void,
    reusePort = false,
  ): Promise<Listener> {
    const hosts = address.host === '::' ? ['::', '0.0.0.0'] : [address.host];
    for (const host of hosts) {
      const server = net.createServer(
        { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
        onSocket,
      );
      const error = await new Promise<NodeJS.ErrnoException | undefined>(resolve => {
        server.once('error', resolve);
        server.listen({ host, port: address.port, backlog: 4_096, reusePort }, () => resolve(undefined));
      });
      if (error === undefined) return new Listener(name, server);
      if (error.code !== 'EAFNOSUPPORT' || host === hosts.at(-1)) throw error;
    }
    throw new Error('unreachable: every host listens or throws');
  }

  get address(): Address {
    const { address, port } = this.server.address() as net.AddressInfo;
    return { host: address, port };
  }

  /** No new connections. Those that are open have owners of their own, and are not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
  }
}
