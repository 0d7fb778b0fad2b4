import type { ProxyError } from '../../errors/proxy-error.ts';
import type { FieldList } from '../head.ts';
import type { Http2Connection } from './connection.ts';
import { H2_ERROR, type H2Error, MAX_FRAME_BYTES } from './frames.ts';
import { SendQueue } from './send-queue.ts';
import type { Sender } from './send-schedule.ts';

/** A stream's receive window grows by doubling while its reader keeps up, never beyond this. */
export const MAX_STREAM_WINDOW = 1_048_576;
const EMPTY = Buffer.alloc(0);

/**
 * One HTTP/2 stream: its two flow-control windows, what waits to be sent, and how much of each direction is over (RFC 9113 §5.1).
 * Open until both sides have ended, or either has reset. Owned by its connection, which holds it while it is open.
 */
export abstract class Http2Stream implements Sender {
  readonly id: number;
  protected readonly connection: Http2Connection;
  /** Bytes we may still send; negative after the peer shrank its initial window. */
  sendWindow: number;
  localEnded = false;
  remoteEnded = false;
  closed = false;
  queued = false;
  /** Received content-length not yet seen as DATA; -1: none was announced. */
  expected = -1;

  private queue: SendQueue | undefined = undefined;
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
    if (end) this.remoteEnded = true;
    if (flowBytes > chunk.length) this.credit(flowBytes - chunk.length, false);
    if (chunk.length > 0) {
      this.held += chunk.length;
      this.connection.account.hold(chunk.length);
    }
    if (chunk.length > 0 || end) this.deliver(chunk, end);
    if (end) this.closeIfOver();
    return undefined;
  }

  /** The reader has passed `bytes` on; the peer may send as many again. */
  protected consumed(bytes: number): void {
    const released = Math.min(bytes, this.held);
    this.held -= released;
    this.connection.account.release(released);
    this.credit(released, this.held === 0);
  }

  /** Gives the peer credit, half a window at a time. `mayGrow`: the reader keeps up. */
  private credit(bytes: number, mayGrow: boolean): void {
    if (this.remoteEnded || this.closed) return;
    this.unannounced += bytes;
    if (this.unannounced < this.windowSize >>> 1) return;
    const { windowSize, connection } = this;
    if (mayGrow && windowSize * 2 <= MAX_STREAM_WINDOW && connection.account.reserve(windowSize)) {
      this.unannounced += windowSize;
      this.windowSize = windowSize * 2;
    }
    this.receiveWindow += this.unannounced;
    connection.writeWindowUpdate(this.id, this.unannounced);
    this.unannounced = 0;
  }

  /** Sends body bytes, now if nothing stands in the way, else when the windows and the socket allow. */
  sendData(chunk: Buffer, end: boolean): void {
    if (this.closed || this.localEnded || this.endQueued) return;
    const { connection } = this;
    const { length } = chunk;
    if (this.queue === undefined) {
      // The bare end of a body needs no window.
      if (length === 0 && !end) return;
      if (length === 0) return this.finishSending(undefined);
      if (length <= MAX_FRAME_BYTES && length <= this.sendWindow && connection.mayWrite(length)) {
        this.writeFrame(chunk, end);
        this.sent(length);
        if (end) this.closeIfOver();
        return;
      }
      this.queue = new SendQueue();
    }
    if (length > 0) this.queue.append(chunk);
    if (end) this.endQueued = true;
    connection.sendLater(this);
  }

  sendTrailers(trailers: FieldList): void {
    if (this.closed || this.localEnded || this.endQueued) return;
    if (this.queue === undefined) return this.finishSending(trailers);
    this.trailersQueued = trailers;
    this.endQueued = true;
  }

  /** The end of our direction, when nothing waits: by trailers, or by an empty frame. */
  private finishSending(trailers: FieldList | undefined): void {
    if (trailers === undefined) this.writeFrame(EMPTY, true);
    else {
      this.localEnded = true;
      this.connection.writeTrailers(this.id, trailers);
    }
    this.closeIfOver();
  }

  get sendable(): boolean {
    return this.queue !== undefined && this.sendWindow > 0;
  }

  sendQueued(window: number): void {
    const { queue } = this;
    if (queue === undefined) return;
    const chunk = queue.take(Math.min(MAX_FRAME_BYTES, this.sendWindow, window));
    const last = queue.empty;
    if (last) this.queue = undefined;
    const ends = last && this.endQueued;
    this.writeFrame(chunk, ends && this.trailersQueued === undefined);
    this.sent(chunk.length);
    if (!ends || this.closed) return;
    if (this.trailersQueued === undefined) this.closeIfOver();
    else this.finishSending(this.trailersQueued);
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
    this.close();
    if (this.settled) return;
    this.releaseHeld();
    this.deliverReset(error);
  }

  /** The exchange has got all that it wants from this stream, so a reset is no news to it. */
  protected get settled(): boolean {
    return false;
  }

  protected closeIfOver(): void {
    if (this.localEnded && this.remoteEnded && !this.closed) this.close();
  }

  protected close(): void {
    this.closed = true;
    this.queue = undefined;
    if (this.windowSize > this.connection.ourInitialWindow)
      this.connection.account.unreserve(this.windowSize - this.connection.ourInitialWindow);
    this.connection.remove(this);
  }

  /** What was delivered is dropped by its reader. */
  protected releaseHeld(): void {
    if (this.held > 0) this.connection.account.release(this.held);
    this.held = 0;
  }

  private writeFrame(chunk: Buffer, end: boolean): void {
    this.sendWindow -= chunk.length;
    if (end) this.localEnded = true;
    this.connection.writeData(this.id, chunk, end);
  }
}
