import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

const CHANNEL = 'net.client.socket';

/**
 * The connections that this process dials, by their local end: one that comes back in through a redirect would go round for ever.
 * Owned by the interception.
 */
export class OwnDials implements Disposable {
  private readonly local = new Set<string>();
  private readonly onDial = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket };
    socket.once('connect', () => {
      const key = endOf(socket.localAddress, socket.localPort);
      this.local.add(key);
      socket.once('close', () => this.local.delete(key));
    });
  };

  constructor() {
    subscribe(CHANNEL, this.onDial);
  }

  /** Whether this accepted connection is one that we dialled. */
  has(accepted: Socket): boolean {
    return this.local.has(endOf(accepted.remoteAddress, accepted.remotePort));
  }

  [Symbol.dispose](): void {
    unsubscribe(CHANNEL, this.onDial);
  }
}

const endOf = (address = '', port = 0): string => `${address.replace(/^::ffff:/, '')} ${port}`;
