import type { Duplex } from 'node:stream';
import type { BufferAccount } from '../stream.ts';

/** Who reads the bytes of an `Input`. */
export interface InputReader {
  /** Reads on from `at`: the position that was reached, or `at` itself when nothing can be read now. */
  read(chunk: Buffer, at: number): number;
  /** Unread bytes are the beginning of something: more must come. False: reading waits for something else, and the socket is paused. */
  readonly wantsMore: boolean;
  /** All that could be read was read. `waiting`: some bytes remain. */
  settled(waiting: boolean): void;
}

/**
 * The bytes that a connection receives, kept while they can't be read: never more than one chunk, and the beginning of a head.
 * Owned by its connection.
 */
export class Input {
  private backlog: Buffer | undefined = undefined;
  private running = false;
  private paused = false;
  private closed = false;
  private readonly socket: Duplex;
  private readonly account: BufferAccount;
  private readonly reader: InputReader;

  constructor(socket: Duplex, account: BufferAccount, reader: InputReader) {
    this.socket = socket;
    this.account = account;
    this.reader = reader;
  }

  /** Bytes wait to be read. */
  get waiting(): boolean {
    return this.backlog !== undefined || this.running;
  }

  push(chunk: Buffer): void {
    const waiting = this.take();
    this.run(waiting === undefined ? chunk : Buffer.concat([waiting, chunk]));
  }

  /** Something has changed: tries to read on. */
  proceed(): void {
    if (this.running) return;
    const waiting = this.take();
    if (waiting === undefined) this.setFlow();
    else this.run(waiting);
  }

  /** Forgets what waits and what is still to come in this run. */
  drop(): void {
    this.take();
    this.setFlow();
  }

  close(): void {
    this.closed = true;
    this.take();
  }

  private take(): Buffer | undefined {
    const { backlog } = this;
    if (backlog === undefined) return undefined;
    this.backlog = undefined;
    this.account.release(backlog.length);
    return backlog;
  }

  private run(chunk: Buffer): void {
    const { reader } = this;
    this.running = true;
    let at = 0;
    while (at < chunk.length) {
      const next = reader.read(chunk, at);
      if (next === at) break;
      at = next;
    }
    this.running = false;
    if (at < chunk.length && !this.closed) {
      this.backlog = at === 0 ? chunk : chunk.subarray(at);
      this.account.hold(this.backlog.length);
    }
    reader.settled(this.backlog !== undefined);
    this.setFlow();
  }

  private setFlow(): void {
    const blocked = this.backlog !== undefined && !this.reader.wantsMore;
    if (blocked === this.paused || this.closed) return;
    this.paused = blocked;
    if (blocked) this.socket.pause();
    else this.socket.resume();
  }
}
