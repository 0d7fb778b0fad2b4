import type { Duplex } from 'node:stream';
import { atTurnEnd } from './turn-end.ts';

const BLOCK_BYTES = 65_536;
/** Flushed at once when so much has gathered in one turn. */
const FLUSH_BYTES = 49_152;
/** Above so many unwritten bytes a socket counts as congested, and its sources get no more credit. */
const CONGESTED_BYTES = 262_144;

/**
 * Blocks that outboxes fill and hand back once written, so that a busy sidecar allocates none and an idle connection holds none.
 * Owned by the proxy; at most `maxFree` unused blocks are kept.
 */
export class BlockPool {
  private readonly free: Buffer[] = [];
  private readonly maxFree: number;

  constructor(maxFree = 32) {
    this.maxFree = maxFree;
  }

  take(): Buffer {
    return this.free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  }

  give(block: Buffer): void {
    if (this.free.length < this.maxFree) this.free.push(block);
  }
}

/**
 * Gathers what one connection writes during a turn of the event loop and writes it once, at the turn's end (at once when it is large).
 * Owned by its connection. Write with `reserve` + `block` + `advance`, or with `append`.
 */
export class Outbox {
  block: Buffer = EMPTY;
  private used = 0;
  private scheduled = false;
  private closed = false;
  private readonly socket: Duplex;
  private readonly pool: BlockPool;
  private readonly onWritten: () => void;
  private readonly flushLater = (): void => {
    this.scheduled = false;
    this.flush();
  };

  /** `onWritten` is called each time the socket has taken a batch. */
  constructor(socket: Duplex, pool: BlockPool, onWritten: () => void) {
    this.socket = socket;
    this.pool = pool;
    this.onWritten = onWritten;
  }

  /** True while the peer does not take what was written. */
  get congested(): boolean {
    return this.socket.writableLength + this.used > CONGESTED_BYTES;
  }

  /** Bytes that the socket has not taken yet. */
  get unwritten(): number {
    return this.socket.writableLength + this.used;
  }

  /** Makes room for `bytes` (at most a block); the position in `block` to write at. Call `advance` before anything else. */
  reserve(bytes: number): number {
    if (this.used + bytes > this.block.length) {
      if (bytes > BLOCK_BYTES) throw new RangeError('outbox: larger than a block');
      this.flush();
      this.block = this.pool.take();
    }
    return this.used;
  }

  /** Takes what was written up to `end`. */
  advance(end: number): void {
    this.used = end;
    if (end >= FLUSH_BYTES) this.flush();
    else if (!this.scheduled) {
      this.scheduled = true;
      atTurnEnd(this.flushLater);
    }
  }

  /** Appends a copy of the bytes, at most a block of them: one long write costs less than many writes by reference. */
  append(chunk: Buffer): void {
    const at = this.reserve(chunk.length);
    this.block.set(chunk, at);
    this.advance(at + chunk.length);
  }

  flush(): void {
    const { block, used } = this;
    if (used === 0) return;
    this.block = EMPTY;
    this.used = 0;
    if (this.closed) {
      this.pool.give(block);
      return;
    }
    this.socket.write(block.subarray(0, used), () => {
      this.pool.give(block);
      this.onWritten();
    });
  }

  /** Writes what is there and ends the socket. */
  end(): void {
    this.flush();
    this.closed = true;
    this.socket.end();
  }

  /** Drops what is there; nothing is written any more. */
  close(): void {
    this.closed = true;
    this.flush();
  }
}

const EMPTY = Buffer.alloc(0);
