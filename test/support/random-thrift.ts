/** Thrift messages of any shape, with what has to be read in them. Written apart from the sidecar's parser. */
import type { Protocol } from './thrift-bytes.ts';
import { varint } from './thrift-bytes.ts';

/** A number from 0 up to `below`. */
export type Dice = (below: number) => number;

const i32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

type Kind = 'bool' | 'byte' | 'i16' | 'i32' | 'i64' | 'double' | 'string' | 'struct' | 'map' | 'set' | 'list' | 'uuid';
const KINDS: readonly Kind[] = [
  'bool',
  'byte',
  'i16',
  'i32',
  'i64',
  'double',
  'string',
  'struct',
  'map',
  'set',
  'list',
  'uuid',
];
const BINARY: Readonly<Record<Kind, number>> = {
  bool: 2,
  byte: 3,
  double: 4,
  i16: 6,
  i32: 8,
  i64: 10,
  string: 11,
  struct: 12,
  map: 13,
  set: 14,
  list: 15,
  uuid: 16,
};
const COMPACT: Readonly<Record<Kind, number>> = {
  bool: 1,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  string: 8,
  list: 9,
  set: 10,
  map: 11,
  struct: 12,
  uuid: 13,
};
const WIDTH: Partial<Record<Kind, number>> = { bool: 1, byte: 1, i16: 2, i32: 4, i64: 8, double: 8, uuid: 16 };

const bytes = (dice: Dice, count: number): Buffer => Buffer.from(Array.from({ length: count }, () => dice(256)));

const value = (protocol: Protocol, dice: Dice, kind: Kind, depth: number): Buffer => {
  const compact = protocol === 'compact';
  const size = (count: number): Buffer => (compact ? varint(count) : i32(count));
  switch (kind) {
    case 'string': {
      const length = dice(dice(8) === 0 ? 3_000 : 12);
      return Buffer.concat([size(length), bytes(dice, length)]);
    }
    case 'struct':
      return struct(protocol, dice, depth - 1);
    case 'set':
    case 'list': {
      const count = dice(dice(6) === 0 ? 40 : 5);
      const of = kindOf(dice, depth - 1);
      const items = Array.from({ length: count }, () => value(protocol, dice, of, depth - 1));
      if (!compact) return Buffer.concat([Buffer.from([BINARY[of]]), i32(count), ...items]);
      const short =
        count < 15 ? [Buffer.from([(count << 4) | COMPACT[of]])] : [Buffer.from([0xf0 | COMPACT[of]]), varint(count)];
      return Buffer.concat([...short, ...items]);
    }
    case 'map': {
      const count = dice(4);
      const [key, item] = [kindOf(dice, depth - 1), kindOf(dice, depth - 1)];
      const items = Array.from({ length: count }, () => [
        value(protocol, dice, key, depth - 1),
        value(protocol, dice, item, depth - 1),
      ]);
      if (!compact) return Buffer.concat([Buffer.from([BINARY[key], BINARY[item]]), i32(count), ...items.flat()]);
      const types = count === 0 ? [] : [Buffer.from([(COMPACT[key] << 4) | COMPACT[item]])];
      return Buffer.concat([varint(count), ...types, ...items.flat()]);
    }
    case 'i16':
    case 'i32':
    case 'i64':
      if (compact) return varint(dice(0xffff_ffff));
      return bytes(dice, WIDTH[kind] ?? 0);
    case 'bool':
    case 'byte':
    case 'double':
    case 'uuid':
      return bytes(dice, WIDTH[kind] ?? 0);
    default:
      return kind satisfies never;
  }
};

/** Deep values only while there is depth left. */
const kindOf = (dice: Dice, depth: number): Kind => {
  for (;;) {
    const kind = KINDS[dice(KINDS.length)] as Kind;
    if (depth > 0 || WIDTH[kind] !== undefined || kind === 'string') return kind;
  }
};

/** A struct whose first field is `first`, or any. */
export const struct = (protocol: Protocol, dice: Dice, depth: number, first?: number): Buffer => {
  const parts: Buffer[] = [];
  let last = 0;
  const fields = dice(5);
  for (let i = 0; i < fields; i++) {
    const id = i === 0 && first !== undefined ? first : last + 1 + dice(dice(3) === 0 ? 900 : 4);
    const kind = kindOf(dice, depth);
    if (protocol === 'binary') parts.push(Buffer.from([BINARY[kind], id >> 8, id & 255]));
    else {
      // A bool says its value in its type: 1 or 2.
      const type = kind === 'bool' ? 1 + dice(2) : COMPACT[kind];
      const delta = id - last;
      parts.push(
        delta > 0 && delta < 16
          ? Buffer.from([(delta << 4) | type])
          : Buffer.concat([Buffer.from([type]), varint(id * 2)]),
      );
    }
    if (protocol === 'binary' || kind !== 'bool') parts.push(value(protocol, dice, kind, depth));
    last = id;
  }
  return Buffer.concat([...parts, Buffer.from([0])]);
};

/** A message without its transport. `type` as TMessageType. */
export const randomMessage = (
  protocol: Protocol,
  dice: Dice,
  type: number,
  name: string,
  sequence: number,
  first?: number,
): Buffer => {
  const body = struct(protocol, dice, 4, first);
  if (protocol === 'compact')
    return Buffer.concat([
      Buffer.from([0x82, (type << 5) | 1]),
      varint(sequence),
      varint(name.length),
      Buffer.from(name),
      body,
    ]);
  return Buffer.concat([Buffer.from([0x80, 1, 0, type]), i32(name.length), Buffer.from(name), i32(sequence), body]);
};
