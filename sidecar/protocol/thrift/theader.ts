import { Cursor } from './cursor.ts';
import { MAX_THEADER_BYTES } from './limits.ts';
import type { Parsed, ThriftProtocol } from './message-head.ts';

/** Apache Thrift: HeaderFormat.md. */
const MAGIC = 0x0fff;
const KEY_VALUE = 1;
const MAX_HEADERS = 64;
/** Protocols by their THeader numbers. */
const NUMBERS: readonly (ThriftProtocol | undefined)[] = ['binary', 'json', 'compact'];

/** What stands between a THeader frame's length and its payload. */
export interface THeader {
  readonly protocol: ThriftProtocol;
  /** Where the header's own sequence number is: four bytes. */
  readonly sequenceAt: number;
  readonly payloadAt: number;
  /** Name, value, name, value, …; one character for each byte. */
  readonly headers: readonly string[];
}

/** The THeader at `at`, behind the frame's length. Payloads that are transformed (compressed, say) are not read: a fault. */
export const parseTHeader = (bytes: Buffer, at: number, end: number): Parsed<THeader> => {
  const fixed = new Cursor(bytes, at, end);
  const magic = fixed.u16();
  fixed.u16();
  const sequenceAt = fixed.at;
  fixed.i32();
  const size = fixed.u16() * 4;
  const headerAt = fixed.at;
  if (fixed.state === 'ok' && (magic !== MAGIC || size > MAX_THEADER_BYTES)) return 'thrift_header';
  fixed.skip(size);
  if (fixed.state !== 'ok') return fixed.state === 'truncated' ? 'thrift_truncated' : undefined;
  const payloadAt = headerAt + size;
  const cursor = new Cursor(bytes, headerAt, payloadAt);
  const protocol = NUMBERS[cursor.varint()];
  const transforms = cursor.varint();
  const headers = transforms === 0 ? readHeaders(cursor, payloadAt) : undefined;
  if (protocol === undefined || headers === undefined || cursor.state !== 'ok') return 'thrift_header';
  return { protocol, sequenceAt, payloadAt, headers };
};

/** Undefined: there are too many. Behind them is padding, or a kind of information that nobody knows. */
const readHeaders = (cursor: Cursor, end: number): readonly string[] | undefined => {
  const headers: string[] = [];
  while (cursor.at < end && cursor.varint() === KEY_VALUE) {
    const count = cursor.varint();
    if (count < 0 || headers.length / 2 + count > MAX_HEADERS) return undefined;
    for (let i = 0; i < count * 2; i++) headers.push(cursor.text(Math.max(0, cursor.varint())));
  }
  return headers;
};

/** A message of our own as a THeader frame without its length. */
export const wrapInTHeader = (protocol: ThriftProtocol, sequence: number, message: Buffer): Buffer => {
  const head = Buffer.alloc(14);
  head.writeUInt16BE(MAGIC, 0);
  head.writeInt32BE(sequence, 4);
  head.writeUInt16BE(1, 8);
  head[10] = NUMBERS.indexOf(protocol);
  return Buffer.concat([head, message]);
};
