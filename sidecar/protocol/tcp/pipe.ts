import type { Duplex } from 'node:stream';
import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';
import type { BufferAccount } from '../stream.ts';

/** Delivered and not yet consumed: above this the socket is paused. */
const WINDOW_BYTES = 65_536;
/** Above so many unwritten bytes the other side gets no credit. */
const CONGESTED_BYTES = 262_144;

/** What a raw socket tells its reader. */
export interface PipeReader {
  data(chunk: Buffer, end: boolean): void;
  reset(error: ProxyError): void;
  /** So many bytes of what was sent are on their way. */
  sent(bytes: number): void;
  closed(): void;
}

const EMPTY = Buffer.alloc(0);

/**
 * A raw TCP socket with credit in both directions and half-close: the part that the server's and the client's side share.
 * Owned by the exchange's codec stream; ends with its socket.
 */
export class TcpPipe {
  private readonly socket: Duplex;
  private readonly account: BufferAccount;
  private readonly reader: PipeReader;
  private held = 0;
  private uncredited = 0;
  private readEnded = false;
  private writeEnded = false;
  private over = false;

  constructor(socket: Duplex, account: BufferAccount, reader: PipeReader) {
    this.socket = socket;
    this.account = account;
    this.reader = reader;
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('end', () => this.receiveEnd());
    socket.on('drain', () => this.credit());
    socket.on('error', error => this.onError(error));
    socket.on('close', () => this.onClose());
    socket.resume();
  }

  private receive(chunk: Buffer): void {
    if (this.over) return;
    this.held += chunk.length;
    this.account.hold(chunk.length);
    if (this.held >= WINDOW_BYTES) this.socket.pause();
    this.reader.data(chunk, false);
  }

  private receiveEnd(): void {
    if (this.readEnded || this.over) return;
    this.readEnded = true;
    this.reader.data(EMPTY, true);
  }

  consumed(bytes: number): void {
    const released = Math.min(bytes, this.held);
    this.held -= released;
    this.account.release(released);
    if (this.held < WINDOW_BYTES && !this.over) this.socket.resume();
  }

  write(chunk: Buffer, end: boolean): void {
    if (this.over || this.writeEnded) return;
    this.uncredited += chunk.length;
    if (chunk.length > 0) this.socket.write(chunk);
    if (end) {
      this.writeEnded = true;
      this.socket.end();
    }
    if (this.socket.writableLength <= CONGESTED_BYTES) this.credit();
  }

  private credit(): void {
    const bytes = this.uncredited;
    this.uncredited = 0;
    if (bytes > 0) this.reader.sent(bytes);
  }

  /** Ends both directions at once: in order where nothing was under way, else by a reset. */
  reset(error: ProxyError): void {
    if (error.code !== 'IDLE_TIMEOUT') return this.abort();
    if (this.over) return;
    this.finish();
    this.socket.destroy();
  }

  /** Ends both directions at once; the peer sees a reset where the system allows it. */
  abort(): void {
    if (this.over) return;
    this.finish();
    if ('resetAndDestroy' in this.socket && typeof this.socket.resetAndDestroy === 'function')
      this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  private onError(error: Error): void {
    if (this.over) return;
    this.finish();
    this.reader.reset(proxyError('UPSTREAM_RESET', 'tcp_reset', error.message));
  }

  private onClose(): void {
    if (!this.over) {
      const orderly = this.readEnded && this.writeEnded;
      this.finish();
      if (!orderly) this.reader.reset(proxyError('UPSTREAM_CLOSED', 'tcp_closed'));
    }
    this.reader.closed();
  }

  /** Nothing more comes or goes. What the socket has not taken is dropped, so its source may forget it. */
  private finish(): void {
    this.over = true;
    this.account.release(this.held);
    this.held = 0;
    this.credit();
  }
}
