import type { Duplex } from 'node:stream';
import type { FieldList } from '../head.ts';
import type { BufferAccount } from '../stream.ts';
import { atTurnEnd } from '../turn-end.ts';
import { trailerSection } from './head-template.ts';
import { CONGESTED_BYTES, CONGESTED_BYTES_WHEN_TIGHT } from './limits.ts';

/** Up to this size a body is cheaper as part of one string with its head than as a buffer of its own. */
const JOIN_BYTES = 4_096;
/** So much text does not wait for the end of the turn. */
const FLUSH_CHARS = 16_384;

/** How the body that follows a head is framed. `none`: there is none. `close`: it ends with the connection (or is raw bytes). */
export type Framing = 'none' | 'length' | 'chunked' | 'close';

/**
 * Writes one message after the other to a socket. Heads and small bodies are kept back until the end of the turn of the event loop, so that small
 * messages are one write. Owned by its connection.
 */
export class MessageWriter {
  /** The message is written in full. */
  over = true;
  /** Something of the message was given to the socket. */
  started = false;
  /** No more than one small write was made for the message: if the kernel refused it, nothing of it left. */
  firstWrite = false;
  private kept = '';
  private flushPlanned = false;
  private framing: Framing = 'none';
  private remaining = 0;
  /** Written, and no credit given for it yet. */
  private owed = 0;
  /** Counted on the account while the socket is congested. */
  private held = 0;
  private corked = false;
  private readonly uncorkLater = (): void => {
    this.corked = false;
    this.flush();
    this.socket.uncork();
  };
  private readonly socket: Duplex;
  private readonly account: BufferAccount;
  private readonly onWritten: (bytes: number) => void;
  private readonly flushLater = (): void => {
    this.flushPlanned = false;
    this.flush();
  };

  /** `onWritten`: so many more body bytes of the current message are on their way. */
  constructor(socket: Duplex, account: BufferAccount, onWritten: (bytes: number) => void) {
    this.socket = socket;
    this.account = account;
    this.onWritten = onWritten;
  }

  /** Begins a message. `length`: its Content-Length, for that framing. */
  begin(head: string, framing: Framing, length: number): void {
    this.framing = framing;
    this.remaining = length;
    this.owed = 0;
    this.started = this.firstWrite = false;
    this.over = framing === 'none' || (framing === 'length' && length === 0);
    this.put(head);
  }

  /** Writes text that stands before a message (1xx). */
  interim(head: string): void {
    this.put(head);
  }

  /** The next bytes of the body. False: they are not what the head announced, and the connection is of no more use. */
  data(chunk: Buffer, end: boolean): boolean {
    if (this.over) return true;
    const { length } = chunk;
    let before = '';
    let after = '';
    if (this.framing === 'length') {
      this.remaining -= length;
      if (this.remaining < 0 || (end && this.remaining > 0)) return false;
    } else if (this.framing === 'chunked') {
      if (length > 0) {
        before = `${length.toString(16)}\r\n`;
        after = end ? '\r\n0\r\n\r\n' : '\r\n';
      } else if (end) after = '0\r\n\r\n';
    }
    if (end) this.over = true;
    if (length <= JOIN_BYTES) this.put(before + chunk.latin1Slice(0, length) + after);
    else this.putLarge(before, chunk, after);
    if (length > 0 || end) this.giveCredit(length);
    return true;
  }

  /** Ends the body. Only chunked ones can have trailers. */
  trailers(list: FieldList): boolean {
    if (this.over) return true;
    if (this.framing !== 'chunked') return this.data(NOTHING, true);
    this.over = true;
    this.put(`0\r\n${trailerSection(list)}`);
    this.giveCredit(0);
    return true;
  }

  /** The socket has taken everything (its 'drain'). */
  drained(): void {
    this.release();
    this.giveCredit(0);
  }

  /** Ends the socket behind what is kept. */
  end(onFinish?: () => void): void {
    this.flush();
    this.socket.end(onFinish);
  }

  /** The connection is gone. */
  close(): void {
    this.over = true;
    this.kept = '';
    this.owed = 0;
    this.release();
  }

  /** Gives the socket what is kept: before anything else is done to it. */
  flush(): void {
    const { socket, kept } = this;
    if (kept === '' || socket.destroyed) return;
    this.kept = '';
    this.firstWrite = !this.started;
    this.started = true;
    if (!socket.write(kept, 'latin1')) this.hold();
  }

  private put(text: string): void {
    this.kept += text;
    if (this.kept.length >= FLUSH_CHARS) this.flush();
    else if (!this.flushPlanned && this.kept !== '') {
      this.flushPlanned = true;
      atTurnEnd(this.flushLater);
    }
  }

  private putLarge(before: string, chunk: Buffer, after: string): void {
    const { socket } = this;
    this.cork();
    this.kept += before;
    this.flush();
    this.firstWrite = false;
    this.started = true;
    if (!socket.write(chunk)) this.hold();
    if (after !== '') this.put(after);
  }

  /** What is written during one turn of the event loop goes out in one system call: TLS hands over at most 16 KiB at a time. */
  private cork(): void {
    if (this.corked) return;
    this.corked = true;
    this.socket.cork();
    atTurnEnd(this.uncorkLater);
  }

  /** A message that is over owes nothing: whom the credit is for may be gone when the socket has drained. */
  private giveCredit(bytes: number): void {
    this.owed += bytes;
    if (this.owed === 0) return;
    const limit = this.account.roomToGrow ? CONGESTED_BYTES : CONGESTED_BYTES_WHEN_TIGHT;
    if (!this.over && this.held > 0 && this.socket.writableLength > limit) return;
    const { owed } = this;
    this.owed = 0;
    this.onWritten(owed);
  }

  private hold(): void {
    const more = this.socket.writableLength - this.held;
    if (more <= 0) return;
    this.held += more;
    this.account.hold(more);
  }

  private release(): void {
    if (this.held > 0) this.account.release(this.held);
    this.held = 0;
  }
}

const NOTHING = Buffer.alloc(0);
