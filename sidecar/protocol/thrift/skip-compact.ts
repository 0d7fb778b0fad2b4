import { MAX_DEPTH, MAX_MESSAGE_BYTES } from './limits.ts';
import type { ThriftFault } from './message-head.ts';
import type { Skipper } from './skipper.ts';

const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const I64 = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const MAP = 11;
const STRUCT = 12;
const UUID = 13;

/** What is open: a struct (`left` -1), or the elements of a container that are still to come. A map takes turns between its types. */
interface Open {
  left: number;
  readonly types: readonly [number, number];
}

const OPEN_STRUCT: Open = { left: -1, types: [0, 0] };

/** What the byte or number that is read next means. */
type Expected =
  | 'nothing'
  | 'field'
  | 'field_id'
  | 'integer'
  | 'string'
  | 'list'
  | 'list_size'
  | 'map_size'
  | 'map_types';
const ONE_BYTE: ReadonlySet<Expected> = new Set(['field', 'list', 'map_types']);

/** The end of a struct in the compact protocol. */
export class CompactSkipper implements Skipper {
  done = false;
  fault: ThriftFault | '' = '';
  private readonly open: Open[] = [{ ...OPEN_STRUCT }];
  /** Bytes to pass over. */
  private skip = 0;
  private expected: Expected = 'nothing';
  /** The variable-length number that is being read. */
  private value = 0;
  private shift = 0;
  /** Type of a field or of a list's elements whose number is being read; count of a map whose types are. */
  private kept = 0;
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
      if (this.expected === 'nothing') this.next();
      else if (at >= end) break;
      else this.readByte(chunk[at++] as number);
    }
    this.total += at - start;
    if (this.total > MAX_MESSAGE_BYTES) this.fault = 'thrift_length';
    return at;
  }

  private next(): void {
    const top = this.open.at(-1);
    if (top === undefined) this.done = true;
    else if (top.left < 0) this.expected = 'field';
    else if (top.left === 0) this.open.pop();
    else this.element(top.types[--top.left & 1] as number);
  }

  private readByte(byte: number): void {
    const { expected } = this;
    if (ONE_BYTE.has(expected)) {
      this.expected = 'nothing';
      this.read(expected, byte);
      return;
    }
    this.value += (byte & 0x7f) * 2 ** this.shift;
    this.shift += 7;
    if (byte < 0x80) {
      const { value } = this;
      this.value = 0;
      this.shift = 0;
      this.expected = 'nothing';
      this.read(expected, value);
    } else if (this.shift >= 70) this.fault = 'thrift_length';
  }

  private read(expected: Expected, value: number): void {
    switch (expected) {
      case 'field':
        return this.field(value);
      case 'field_id':
        return this.fieldValue(this.kept);
      case 'string':
        return this.pass(value, 1);
      case 'list':
        this.kept = value & 0x0f;
        if (value >> 4 === 15) this.expected = 'list_size';
        else this.elements(value >> 4, [this.kept, this.kept], 1);
        return;
      case 'list_size':
        return this.elements(value, [this.kept, this.kept], 1);
      case 'map_size':
        if (value === 0) return;
        this.kept = value;
        this.expected = 'map_types';
        return;
      case 'map_types':
        return this.elements(this.kept, [value & 0x0f, value >> 4], 2);
      case 'integer': // its value does not matter
      case 'nothing':
        return;
      default:
        expected satisfies never;
    }
  }

  private field(byte: number): void {
    if (byte === 0) {
      this.open.pop();
      return;
    }
    if (byte >> 4 !== 0) return this.fieldValue(byte & 0x0f);
    this.kept = byte & 0x0f;
    this.expected = 'field_id';
  }

  /** A field's bool is in its type. */
  private fieldValue(type: number): void {
    if (type !== TRUE && type !== FALSE) this.element(type);
  }

  private element(type: number): void {
    const fixed = fixedBytes(type);
    if (fixed > 0) this.skip += fixed;
    else if (type > BYTE && type <= I64) this.expected = 'integer';
    else if (type === BINARY) this.expected = 'string';
    else if (type === LIST || type === SET) this.expected = 'list';
    else if (type === MAP) this.expected = 'map_size';
    else if (type === STRUCT) this.push({ ...OPEN_STRUCT });
    else this.fault = 'thrift_type';
  }

  private pass(count: number, size: number): void {
    if (count * size > MAX_MESSAGE_BYTES) this.fault = 'thrift_length';
    else this.skip += count * size;
  }

  /** `per`: values for each element. */
  private elements(count: number, types: readonly [number, number], per: number): void {
    if (count * per > MAX_MESSAGE_BYTES) {
      this.fault = 'thrift_length';
      return;
    }
    const first = fixedBytes(types[0]);
    const second = fixedBytes(types[1]);
    if (first > 0 && second > 0) this.pass(count, per === 1 ? first : first + second);
    else if (count > 0) this.push({ left: count * per, types });
  }

  private push(open: Open): void {
    if (this.open.length >= MAX_DEPTH) this.fault = 'thrift_depth';
    else this.open.push(open);
  }
}

/** Bytes of an element whose type has always as many; 0: it has not, or is none. */
const fixedBytes = (type: number): number => {
  if (type >= TRUE && type <= BYTE) return 1;
  if (type === DOUBLE) return 8;
  return type === UUID ? 16 : 0;
};
