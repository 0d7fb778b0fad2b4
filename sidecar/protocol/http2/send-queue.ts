/** Chunks below this are gathered. */
const SMALL_BYTES = 4_096;
const FIRST_BLOCK_BYTES = 1_024;
const MAX_BLOCK_BYTES = 16_384;

/**
 * The body bytes of one stream that wait to be sent. Small chunks are gathered into blocks of our own, so that many of them cost neither an
 * object each nor the read buffers that they are slices of; large ones are kept as they are. Holds no empty chunk.
 */
export class SendQueue {
  private readonly chunks: Buffer[] = [];
  /** The block that is being filled, and up to where; the last chunk is a view of its end. */
  private block: Buffer = EMPTY;
  private used = 0;

  get empty(): boolean {
    return this.chunks.length === 0;
  }

  append(chunk: Buffer): void {
    if (chunk.length >= SMALL_BYTES) {
      this.block = EMPTY;
      this.used = 0;
      this.chunks.push(chunk);
      return;
    }
    const { chunks } = this;
    if (this.used + chunk.length > this.block.length) {
      this.block = Buffer.allocUnsafeSlow(Math.max(chunk.length, nextBlockBytes(this.block.length)));
      this.used = 0;
    }
    const last = chunks.at(-1);
    const start = this.used > 0 && last?.buffer === this.block.buffer ? last.byteOffset : this.used;
    this.block.set(chunk, this.used);
    this.used += chunk.length;
    const grown = this.block.subarray(start, this.used);
    if (start === this.used - chunk.length) chunks.push(grown);
    else chunks[chunks.length - 1] = grown;
  }

  /** Takes at most `bytes` from the front, without joining chunks. Not on an empty queue. */
  take(bytes: number): Buffer {
    const { chunks } = this;
    const first = chunks[0] as Buffer;
    if (first.length <= bytes) {
      chunks.shift();
      return first;
    }
    chunks[0] = first.subarray(bytes);
    return first.subarray(0, bytes);
  }
}

const EMPTY = Buffer.alloc(0);
const nextBlockBytes = (before: number): number =>
  before === 0 ? FIRST_BLOCK_BYTES : Math.min(MAX_BLOCK_BYTES, before * 4);
