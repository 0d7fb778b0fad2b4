import { MAX_DEPTH, MAX_MESSAGE_BYTES } from './limits.ts';
import type { ThriftFault } from './message-head.ts';
import type { Skipper } from './skipper.ts';

const STRING = 11;
const STRUCT = 12;
const MAP = 13;
const SET = 14;
const LIST = 15;
/** Bytes of the types that have always as many: bool, byte, double, i16, i32, i64, uuid; by TType. */
const FIXED: readonly number[] = [0, 0, 1, 1, 8, 0, 2, 0, 4, 0, 8, 0, 0, 0, 0, 0, 16];

/** What is open: a struct (`left` -1), or the elements of a container that are still to come. A map takes turns between its types. */
interface Open {
  left: number;
  readonly types: readonly [number, number];
}

const OPEN_STRUCT: Open = { left: -1, types: [0, 0] };

/** The end of a struct in the binary protocol. */
export class BinarySkipper implements Skipper {
  done = false;
  fault: ThriftFault | '' = '';
  private readonly open: Open[] = [{ ...OPEN_STRUCT }];
  /** Bytes to pass over. */
  private skip = 0;
  /** The header that is read next, of `want` bytes: a field's type, or of a string or container. 0: none. */
  private want = 0;
  private header = 0;
  private got = 0;
  private readonly bytes = Buffer.alloc(6);
  private total = 0;

  feed(chunk: Buffer, start: number, end: number): number {
    let at = start;
    while (!this.done && this.fault === '') {
      if (this.skip > 0) {
        const passed = Math.min(this.skip, end - at);
        this.skip -= passed;
        at += passed;
        if (this.skip > 0) break;
      }
      if (this.want > 0) {
        while (this.got < this.want && at < end) this.bytes[this.got++] = chunk[at++] as number;
        if (this.got < this.want) break;
        this.want = 0;
        this.got = 0;
        this.readHeader();
      } else this.next();
    }
    this.total += at - start;
    if (this.total > MAX_MESSAGE_BYTES) this.fault = 'thrift_length';
    return at;
  }

  private expect(header: number, bytes: number): void {
    this.header = header;
    this.want = bytes;
  }

  private next(): void {
    const top = this.open.at(-1);
    if (top === undefined) this.done = true;
    else if (top.left < 0) this.expect(0, 1);
    else if (top.left === 0) this.open.pop();
    else this.value(top.types[--top.left & 1] as number);
  }

  private readHeader(): void {
    const { bytes } = this;
    switch (this.header) {
      case STRING:
        return this.pass(bytes.readInt32BE(0), 1);
      case LIST:
        return this.elements(bytes.readInt32BE(1), [bytes[0] as number, bytes[0] as number], 1);
      case MAP:
        return this.elements(bytes.readInt32BE(2), [bytes[1] as number, bytes[0] as number], 2);
      default: {
        const type = bytes[0] as number;
        if (type === 0) {
          this.open.pop();
          return;
        }
        this.skip = 2;
        this.value(type);
      }
    }
  }

  private value(type: number): void {
    const fixed = FIXED[type] ?? 0;
    if (fixed > 0) this.skip += fixed;
    else if (type === STRING) this.expect(STRING, 4);
    else if (type === STRUCT) this.push({ ...OPEN_STRUCT });
    else if (type === LIST || type === SET) this.expect(LIST, 5);
    else if (type === MAP) this.expect(MAP, 6);
    else this.fault = 'thrift_type';
  }

  private pass(count: number, size: number): void {
    if (count < 0 || count * size > MAX_MESSAGE_BYTES) this.fault = 'thrift_length';
    else this.skip += count * size;
  }

  /** `per`: values for each element. */
  private elements(count: number, types: readonly [number, number], per: number): void {
    if (count < 0 || count * per > MAX_MESSAGE_BYTES) {
      this.fault = 'thrift_length';
      return;
    }
    const first = FIXED[types[0]] ?? 0;
    const second = FIXED[types[1]] ?? 0;
    if (first > 0 && second > 0) this.pass(count, per === 1 ? first : first + second);
    else if (count > 0) this.push({ left: count * per, types });
  }

  private push(open: Open): void {
    if (this.open.length >= MAX_DEPTH) this.fault = 'thrift_depth';
    else this.open.push(open);
  }
}
