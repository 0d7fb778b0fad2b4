/** Bytes in, bytes out: what an HTTP/1 conversation really looks like, with no client library between. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A plain TCP conversation. Owned by the test. */
export class RawConnection implements AsyncDisposable {
  readonly socket: Socket;
  /** Everything received so far, latin1. */
  received = '';
  #ended = false;

  constructor(port: number, host = '127.0.0.1') {
    this.socket = connect({ port, host });
    this.socket.setNoDelay(true);
    this.socket.on('data', chunk => {
      this.received += chunk.toString('latin1');
    });
    this.socket.once('close', () => {
      this.#ended = true;
    });
    this.socket.on('error', () => undefined);
  }

  write(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Resolves with all that was received once `done` says so, or the peer closed, or `timeoutMs` passed. */
  async until(done: (received: string) => boolean, timeoutMs = 5_000): Promise<string> {
    const end = performance.now() + timeoutMs;
    while (!this.#ended && !done(this.received) && performance.now() < end) {
      const soon = AbortSignal.timeout(100);
      await Promise.race([
        once(this.socket, 'data', { signal: soon }),
        once(this.socket, 'close', { signal: soon }),
      ]).catch(() => undefined);
    }
    return this.received;
  }

  /** Everything until the peer closes. */
  async untilClosed(timeoutMs = 5_000): Promise<string> {
    return this.until(() => false, timeoutMs);
  }

  get closed(): boolean {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
  }
}

/** Sends `bytes` on a connection of its own and gives what came back until the peer closed it. */
export const sendRaw = async (port: number, bytes: string, timeoutMs = 5_000): Promise<string> => {
  await using connection = new RawConnection(port);
  connection.write(bytes);
  return await connection.untilClosed(timeoutMs);
};
