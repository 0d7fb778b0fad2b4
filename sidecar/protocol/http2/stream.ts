import type { ProxyError } from '../../errors/proxy-error.ts';
import type { FieldList } from '../head.ts';
import type { Http2Connection } from './connection.ts';
import { H2_ERROR, type H2Error, MAX_FRAME_BYTES } from './frames.ts';

/** A stream's receive window grows to this while its reader keeps up. */
export const MAX_STREAM_WINDOW = 1_048_576;
const SMALL_BYTES = 4_096;

/**
 * One HTTP/2 stream: its two flow-control windows, what waits to be sent, and how much of each direction is over (RFC 9113 §5.1).
 * Open until both sides have ended, or either has reset. Owned by its connection, which holds it while it is open.
 */
export abstract class Http2Stream {
  readonly id: number;
  protected readonly connection: Http2Connection;
  /** Bytes we may still send; negative after the peer shrank its initial window. */
  sendWindow: number;
  localEnded = false;
  remoteEnded = false;
  closed = false;
  /** True while it stands in the connection's round-robin queue. */
  queued = false;
  /** Received content-length not yet seen as DATA; -1: none was announced. */
  expected = -1;

  private queue: Buffer[] | undefined = undefined;
  private endQueued = false;
  private trailersQueued: FieldList | undefined = undefined;

  private receiveWindow: number;
  private windowSize: number;
  /** Delivered and not yet consumed. */
  private held = 0;
  /** Consumed and not yet announced to the peer. */
  private unannounced = 0;

  constructor(connection: Http2Connection, id: number) {
    this.connection = connection;
    this.id = id;
    this.sendWindow = connection.peerInitialWindow;
    this.receiveWindow = this.windowSize = connection.ourInitialWindow;
  }

  protected abstract deliver(chunk: Buffer, end: boolean): void;
  protected abstract deliverReset(error: ProxyError): void;
  /** So many bytes of what we were given to send are on their way. */
  protected abstract sent(bytes: number): void;

  /** DATA came in. Returns the stream error that it is, or undefined. */
  receive(chunk: Buffer, flowBytes: number, end: boolean): H2Error | undefined {
    this.receiveWindow -= flowBytes;
    if (this.receiveWindow < 0) return H2_ERROR.FLOW_CONTROL_ERROR;
    if (this.expected >= 0) {
      this.expected -= chunk.length;
      if (this.expected < 0 || (end && this.expected > 0)) return H2_ERROR.PROTOCOL_ERROR;
    }
    if (flowBytes > chunk.length) this.unannounced += flowBytes - chunk.length;
    if (end) this.remoteEnded = true;
    this.held += chunk.length;
    if (chunk.length > 0) this.connection.account.hold(chunk.length);
    if (chunk.length > 0 || end) this.deliver(chunk, end);
    if (end) this.closeIfOver();
    return undefined;
  }

  /** The reader has passed `bytes` on; the peer may send as many again. */
  protected consumed(bytes: number): void {
    const released = Math.min(bytes, this.held);
    this.held -= released;
    this.connection.account.release(released);
    if (this.remoteEnded || this.closed) return;
    this.unannounced += bytes;
    if (this.unannounced < this.windowSize >>> 1) return;
    if (this.held === 0 && this.windowSize < MAX_STREAM_WINDOW && this.connection.account.reserve(this.windowSize)) {
      this.unannounced += this.windowSize;
      this.windowSize *= 2;
    }
    this.receiveWindow += this.unannounced;
    this.connection.writeWindowUpdate(this.id, this.unannounced);
    this.unannounced = 0;
  }

  /** Sends body bytes, now if nothing stands in the way, else when the windows and the socket allow. */
  sendData(chunk: Buffer, end: boolean): void {
    if (this.closed || this.localEnded || this.endQueued) return;
    const { connection } = this;
    const { length } = chunk;
    if (
      this.queue === undefined &&
      length <= MAX_FRAME_BYTES &&
      length <= this.sendWindow &&
      connection.mayWrite(length)
    ) {
      this.writeFrame(chunk, end);
      if (length > 0) this.sent(length);
      if (end) this.closeIfOver();
      return;
    }
    // A small slice must not keep the whole read buffer alive while it waits.
    const kept = length < SMALL_BYTES && length * 4 < chunk.buffer.byteLength ? Buffer.from(chunk) : chunk;
    if (this.queue === undefined) this.queue = [kept];
    else this.queue.push(kept);
    if (end) this.endQueued = true;
    this.connection.schedule(this);
  }

  sendTrailers(trailers: FieldList): void {
    if (this.closed || this.localEnded || this.endQueued) return;
    if (this.queue !== undefined) {
      this.trailersQueued = trailers;
      this.endQueued = true;
      return;
    }
    this.localEnded = true;
    this.connection.writeTrailers(this.id, trailers);
    this.closeIfOver();
  }

  /** True when a frame could be sent now, were the connection free. */
  get sendable(): boolean {
    const first = this.queue?.[0];
    return first !== undefined && (this.sendWindow > 0 || first.length === 0);
  }

  /** Sends one frame of what waits, of at most `window` bytes; the number of bytes. */
  sendQueued(window: number): number {
    const { queue } = this;
    const first = queue?.[0];
    if (queue === undefined || first === undefined) return 0;
    const size = Math.min(first.length, MAX_FRAME_BYTES, this.sendWindow, window);
    const whole = size === first.length;
    if (whole) queue.shift();
    else queue[0] = first.subarray(size);
    const last = queue.length === 0;
    if (last) this.queue = undefined;
    this.writeFrame(
      whole ? first : first.subarray(0, size),
      last && this.endQueued && this.trailersQueued === undefined,
    );
    if (last && this.trailersQueued !== undefined) {
      this.localEnded = true;
      this.connection.writeTrailers(this.id, this.trailersQueued);
    }
    if (size > 0) this.sent(size);
    this.closeIfOver();
    return size;
  }

  /** We give the stream up: RST_STREAM, and nothing more in either direction. */
  abort(code: H2Error): void {
    if (!this.closed) {
      this.connection.writeReset(this.id, code);
      this.close();
    }
    this.releaseHeld();
  }

  /** The stream ended abnormally, by the peer or with the connection. */
  fail(error: ProxyError): void {
    if (this.closed) return;
    const tell = !this.remoteEnded || !this.localEnded;
    this.close();
    this.releaseHeld();
    if (tell) this.deliverReset(error);
  }

  protected closeIfOver(): void {
    if (this.localEnded && this.remoteEnded && !this.closed) this.close();
  }

  private close(): void {
    this.closed = true;
    this.queue = undefined;
    if (this.windowSize > this.connection.ourInitialWindow)
      this.connection.account.unreserve(this.windowSize - this.connection.ourInitialWindow);
    this.connection.remove(this);
  }

  /** What was delivered is dropped by its reader. After an ordinary end it stays held until it is consumed. */
  private releaseHeld(): void {
    if (this.held > 0) this.connection.account.release(this.held);
    this.held = 0;
  }

  private writeFrame(chunk: Buffer, end: boolean): void {
    this.sendWindow -= chunk.length;
    if (end) this.localEnded = true;
    this.connection.writeData(this.id, chunk, end);
  }
}
