/** Why a cursor stopped: `more` bytes must come, or the message ends before what it promises. */
export type CursorState = 'ok' | 'more' | 'truncated';

/**
 * Reads numbers and texts one after the other. What is not there reads as 0, and `state` says so from then on: look once, at the end.
 * Bytes from `end` on belong to something else.
 */
export class Cursor {
  at: number;
  state: CursorState = 'ok';
  private readonly bytes: Buffer;
  private readonly end: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** Where `count` bytes begin, or -1. */
  private take(count: number): number {
    if (this.state !== 'ok') return -1;
    const { at } = this;
    if (at + count > this.end) this.state = 'truncated';
    else if (at + count > this.bytes.length) this.state = 'more';
    else {
      this.at = at + count;
      return at;
    }
    return -1;
  }

  u8(): number {
    const at = this.take(1);
    return at < 0 ? 0 : (this.bytes[at] as number);
  }

  i16(): number {
    const at = this.take(2);
    return at < 0 ? 0 : this.bytes.readInt16BE(at);
  }

  u16(): number {
    return this.i16() & 0xffff;
  }

  i32(): number {
    const at = this.take(4);
    return at < 0 ? 0 : this.bytes.readInt32BE(at);
  }

  /** At most 32 bits, least significant group first; a longer one reads as -1. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value > 0xffff_ffff ? -1 : value;
    }
    return -1;
  }

  /** One character for each byte. */
  text(count: number): string {
    const at = this.take(count);
    return at < 0 ? '' : this.bytes.latin1Slice(at, at + count);
  }

  skip(count: number): void {
    this.take(count);
  }
}
