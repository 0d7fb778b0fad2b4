import type { Duplex } from 'node:stream';

/** Above so many unwritten bytes the other side gets no credit. */
const CONGESTED_BYTES = 262_144;

/** Writes to a socket, and tells what its source may forget: at once, or when the socket has room again. */
export class CreditedWriter {
  private uncredited = 0;
  private readonly socket: Duplex;
  private readonly onSent: (bytes: number) => void;

  constructor(socket: Duplex, onSent: (bytes: number) => void) {
    this.socket = socket;
    this.onSent = onSent;
  }

  /** `credit`: how many bytes of the source's went out with it. */
  write(chunk: Buffer, credit: number): void {
    this.uncredited += credit;
    if (chunk.length > 0) this.socket.write(chunk);
    if (this.socket.writableLength <= CONGESTED_BYTES) this.drained();
  }

  /** To be called on the socket's `drain`. */
  drained(): void {
    const bytes = this.uncredited;
    this.uncredited = 0;
    if (bytes > 0) this.onSent(bytes);
  }
}

/** A frame's length before its first bytes, in one piece. */
export const withFrameLength = (length: number, chunk: Buffer): Buffer => {
  const frame = Buffer.allocUnsafe(chunk.length + 4);
  frame.writeInt32BE(length, 0);
  chunk.copy(frame, 4);
  return frame;
};
