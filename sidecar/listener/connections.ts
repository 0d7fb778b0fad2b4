import type { Duplex } from 'node:stream';
import type { Clock } from '../../common/clock.ts';
import type { RequestSink } from '../protocol/stream.ts';

/** What can be asked of an accepted connection. */
export interface ServerConnection {
  /** Finish what is open, take nothing new. */
  drain(): void;
  /** End now. */
  close(): void;
  /** The requests that it carries now. Absent: none. */
  readonly carries?: Iterable<RequestSink>;
}

/** The accepted connections of one direction. Owned by the proxy. */
export class Connections {
  private readonly open = new Set<ServerConnection>();
  private whenEmpty: (() => void) | undefined = undefined;
  private draining = false;

  get size(): number {
    return this.open.size;
  }

  /** The requests that are open on all of them. */
  *carried(): Generator<RequestSink> {
    for (const { carries } of this.open) if (carries !== undefined) yield* carries;
  }

  add(connection: ServerConnection): void {
    this.open.add(connection);
    if (this.draining) connection.drain();
  }

  remove(connection: ServerConnection): void {
    this.open.delete(connection);
    if (this.open.size === 0) this.whenEmpty?.();
  }

  /**
   * The connection is over for us; it is counted until its socket is closed too. A process that ends before its peer has read everything would
   * take the last answers along, because the system resets what is closed with bytes unread.
   */
  removeWhenClosed(connection: ServerConnection, socket: Duplex): void {
    if (socket.closed) this.remove(connection);
    else socket.once('close', () => this.remove(connection));
  }

  /** Asks every connection to finish; resolves when all have ended, or have been ended after `timeoutMs`. */
  async drain(timeoutMs: number, clock: Clock): Promise<void> {
    this.draining = true;
    for (const connection of [...this.open]) connection.drain();
    if (this.open.size === 0) return;
    await new Promise<void>(resolve => {
      const timer = clock.setTimer(timeoutMs, resolve);
      this.whenEmpty = () => {
        timer.cancel();
        resolve();
      };
    });
    this.close();
  }

  /** Ends every connection now. */
  close(): void {
    for (const connection of [...this.open]) connection.close();
  }
}
