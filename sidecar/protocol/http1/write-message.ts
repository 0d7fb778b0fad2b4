import type { Duplex } from 'node:stream';
import type { FieldList } from '../head.ts';
import type { BufferAccount } from '../stream.ts';
import { trailerSection } from './head-template.ts';
import { CONGESTED_BYTES, CONGESTED_BYTES_WHEN_TIGHT } from './limits.ts';

/** Up to this size a body is cheaper as part of one string with its head than as a buffer of its own. */
const JOIN_BYTES = 4_096;

/** How the body that follows a head is framed. `none`: there is none. `close`: it ends with the connection (or is raw bytes). */
export type Framing = 'none' | 'length' | 'chunked' | 'close';

/**
 * Writes one message after the other to a socket. A head is kept back until its first body bytes or the end of the tick,
 * so that a small message is one write. Owned by its connection.
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
    this.kept += head;
    if (this.over) this.flush();
    else if (!this.flushPlanned) {
      this.flushPlanned = true;
      process.nextTick(this.flushLater);
    }
  }

  /** Writes text that stands before a message (1xx). */
  interim(head: string): void {
    this.kept += head;
    this.flush();
  }

  /** The next bytes of the body. False: they are not what the head announced, and the connection is of no more use. */
  data(chunk: Buffer, end: boolean): boolean {
    if (this.over) return true;
    const { length } = chunk;
    let tail = '';
    if (this.framing === 'length') {
      this.remaining -= length;
      if (this.remaining < 0 || (end && this.remaining > 0)) return false;
    } else if (this.framing === 'chunked') {
      if (length > 0) {
        this.kept += `${length.toString(16)}\r\n`;
        tail = end ? '\r\n0\r\n\r\n' : '\r\n';
      } else if (end) tail = '0\r\n\r\n';
    }
    if (end) this.over = true;
    this.write(chunk, tail);
    return true;
  }

  /** Ends the body. Only chunked ones can have trailers. */
  trailers(list: FieldList): boolean {
    if (this.over) return true;
    if (this.framing !== 'chunked') return this.data(NOTHING, true);
    this.over = true;
    this.write(NOTHING, `0\r\n${trailerSection(list)}`);
    return true;
  }

  /** The socket has taken everything (its 'drain'). */
  drained(): void {
    this.release();
    this.giveCredit(0);
  }

  /** The connection is gone. */
  close(): void {
    this.over = true;
    this.kept = '';
    this.owed = 0;
    this.release();
  }

  private flush(): void {
    if (this.kept !== '') this.write(NOTHING, '');
  }

  private write(chunk: Buffer, tail: string): void {
    const { socket, kept } = this;
    const { length } = chunk;
    this.kept = '';
    this.firstWrite = !this.started && length <= JOIN_BYTES;
    this.started = true;
    let free = true;
    if (length <= JOIN_BYTES) {
      const text = length === 0 ? kept + tail : kept + chunk.toString('latin1') + tail;
      if (text !== '') free = socket.write(text, 'latin1');
    } else {
      this.cork();
      if (kept !== '') socket.write(kept, 'latin1');
      free = socket.write(chunk);
      if (tail !== '') free = socket.write(tail, 'latin1');
    }
    if (!free) this.hold();
    if (length > 0 || this.over) this.giveCredit(length);
  }

  /** What is written during one turn of the event loop goes out in one system call: TLS hands over at most 16 KiB at a time. */
  private cork(): void {
    if (this.corked) return;
    this.corked = true;
    this.socket.cork();
    setImmediate(this.uncorkLater);
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
