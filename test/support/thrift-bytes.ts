/**
 * Thrift messages written and read byte by byte, without the sidecar's own parser: `string method(1: string text)` and an exception
 * struct in field 1 of the result. A message of this module is a whole one, in its transport.
 */
export type Transport = 'framed' | 'unframed' | 'header';
export type Protocol = 'binary' | 'compact';

export interface Wire {
  readonly transport: Transport;
  readonly protocol: Protocol;
  /** Info headers of the THeader transport. */
  readonly headers?: Readonly<Record<string, string>>;
}

export const CALL = 1;
export const REPLY = 2;
export const EXCEPTION = 3;
export const ONEWAY = 4;

export interface Message {
  readonly type: number;
  readonly name: string;
  readonly sequence: number;
  /** Field 1 of the arguments, 0 of a result, 1 of a declared exception (whose field 1 it is) or of a TApplicationException. */
  readonly text: string;
  /** The field of the result. */
  readonly field: number;
  /** Of a TApplicationException. */
  readonly code: number;
}

const i32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

export const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  let rest = value >>> 0;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
};

const sized = (protocol: Protocol, text: string): Buffer => {
  const bytes = Buffer.from(text);
  return Buffer.concat([protocol === 'binary' ? i32(bytes.length) : varint(bytes.length), bytes]);
};

const head = (protocol: Protocol, type: number, name: string, sequence: number): Buffer =>
  protocol === 'binary'
    ? Buffer.concat([Buffer.from([0x80, 1, 0, type]), sized(protocol, name), i32(sequence)])
    : Buffer.concat([Buffer.from([0x82, (type << 5) | 1]), varint(sequence), sized(protocol, name)]);

const BINARY_TYPES = { text: 11, i32: 8, struct: 12 };
const COMPACT_TYPES = { text: 8, i32: 5, struct: 12 };

/** The header of field `id` as the first one of its struct, or behind `last`. */
const field = (protocol: Protocol, type: keyof typeof BINARY_TYPES, id: number, last = 0): Buffer => {
  if (protocol === 'binary') return Buffer.from([BINARY_TYPES[type], 0, id]);
  return id > last
    ? Buffer.from([((id - last) << 4) | COMPACT_TYPES[type]])
    : Buffer.from([COMPACT_TYPES[type], id * 2]);
};

const STOP = Buffer.from([0]);

/** Puts a message into its transport. */
export const wrap = ({ transport, protocol, headers = {} }: Wire, sequence: number, message: Buffer): Buffer => {
  if (transport === 'unframed') return message;
  if (transport === 'framed') return Buffer.concat([i32(message.length), message]);
  const entries = Object.entries(headers);
  const info: Buffer[] = [Buffer.from([protocol === 'binary' ? 0 : 2, 0])];
  if (entries.length > 0) info.push(Buffer.from([1]), varint(entries.length));
  for (const [name, value] of entries) info.push(sized('compact', name), sized('compact', value));
  let header: Buffer = Buffer.concat(info);
  header = Buffer.concat([header, Buffer.alloc((4 - (header.length % 4)) % 4)]);
  const fixed = Buffer.from([0x0f, 0xff, 0, 0, 0, 0, 0, 0, 0, header.length / 4]);
  fixed.writeInt32BE(sequence, 4);
  const frame = Buffer.concat([fixed, header, message]);
  return Buffer.concat([i32(frame.length), frame]);
};

export const thriftCall = (wire: Wire, name: string, sequence: number, text: string, type = CALL): Buffer => {
  const { protocol } = wire;
  const message = [head(protocol, type, name, sequence), field(protocol, 'text', 1), sized(protocol, text), STOP];
  return wrap(wire, sequence, Buffer.concat(message));
};

export const thriftReply = (wire: Wire, name: string, sequence: number, text: string): Buffer => {
  const { protocol } = wire;
  const message = [head(protocol, REPLY, name, sequence), field(protocol, 'text', 0), sized(protocol, text), STOP];
  return wrap(wire, sequence, Buffer.concat(message));
};

export const declaredException = (wire: Wire, name: string, sequence: number, text: string): Buffer => {
  const { protocol } = wire;
  const inner = [field(protocol, 'text', 1), sized(protocol, text), STOP];
  const message = [head(protocol, REPLY, name, sequence), field(protocol, 'struct', 1), ...inner, STOP];
  return wrap(wire, sequence, Buffer.concat(message));
};

export const applicationException = (
  wire: Wire,
  name: string,
  sequence: number,
  text: string,
  code: number,
): Buffer => {
  const { protocol } = wire;
  const message = [
    head(protocol, EXCEPTION, name, sequence),
    field(protocol, 'text', 1),
    sized(protocol, text),
    field(protocol, 'i32', 2, 1),
    protocol === 'binary' ? i32(code) : varint(code * 2),
    STOP,
  ];
  return wrap(wire, sequence, Buffer.concat(message));
};

class Short extends Error {}

/** Reads forward; throws `Short` where bytes are missing. */
class Reader {
  at = 0;
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  take(count: number): Buffer {
    if (this.at + count > this.bytes.length) throw new Short();
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }

  text(protocol: Protocol): string {
    return this.take(protocol === 'binary' ? this.take(4).readInt32BE() : this.varint()).toString();
  }
}

const readMessage = (reader: Reader, protocol: Protocol): Message => {
  let type: number;
  let sequence: number;
  let name: string;
  if (protocol === 'binary') {
    type = reader.take(4)[3] as number;
    name = reader.text(protocol);
    sequence = reader.take(4).readInt32BE();
  } else {
    type = (reader.take(2)[1] as number) >> 5;
    sequence = reader.varint() | 0;
    name = reader.text(protocol);
  }
  let text = '';
  let first = -1;
  let code = 0;
  let depth = 1;
  let last = 0;
  while (depth > 0) {
    const byte = reader.byte();
    if (byte === 0) {
      depth--;
      last = 0;
      continue;
    }
    let kind = byte;
    let id = 0;
    if (protocol === 'binary') id = reader.take(2).readInt16BE();
    else {
      kind = byte & 15;
      id = byte >> 4 === 0 ? reader.varint() / 2 : last + (byte >> 4);
    }
    last = id;
    if (first < 0) first = id;
    const types = protocol === 'binary' ? BINARY_TYPES : COMPACT_TYPES;
    if (kind === types.text) text = reader.text(protocol);
    else if (kind === types.i32) code = protocol === 'binary' ? reader.take(4).readInt32BE() : reader.varint() / 2;
    else if (kind === types.struct) {
      depth++;
      last = 0;
    } else throw new Error(`an unexpected type: ${kind}`);
  }
  return { type, name, sequence, text, field: first, code };
};

/** The first message of `bytes` and how many bytes it takes; undefined while it is not whole. */
export const readThrift = (
  wire: Wire,
  bytes: Buffer,
): { readonly message: Message; readonly size: number } | undefined => {
  const reader = new Reader(bytes);
  try {
    if (wire.transport !== 'unframed') {
      const end = reader.take(4).readInt32BE() + 4;
      if (bytes.length < end) return undefined;
      if (wire.transport === 'header') reader.take(reader.take(10).readUInt16BE(8) * 4);
    }
    const message = readMessage(reader, wire.protocol);
    return { message, size: reader.at };
  } catch (error) {
    if (error instanceof Short) return undefined;
    throw error;
  }
};
