import { Cursor } from './cursor.ts';
import { MAX_EXCEPTION_BYTES, MAX_NAME_BYTES } from './limits.ts';

export const PROTOCOLS = ['binary', 'compact', 'json'] as const;
export type ThriftProtocol = (typeof PROTOCOLS)[number];

/** TMessageType. */
export const CALL = 1;
export const REPLY = 2;
export const EXCEPTION = 3;
export const ONEWAY = 4;

/** `declared`: the method threw an exception of its own. `exception`: a `TApplicationException`; `unknown_method`: one of type 1. */
export type ThriftResult = 'reply' | 'declared' | 'exception' | 'unknown_method';

/** What a message says before its struct. Positions are in the bytes that were read. */
export interface MessageHead {
  readonly type: number;
  /** As sent: `method` or, multiplexed, `service:method`. One character for each byte. */
  readonly name: string;
  readonly sequence: number;
  readonly sequenceAt: number;
  readonly sequenceBytes: number;
  /** Where the struct begins. */
  readonly bodyAt: number;
  /** Of a reply or an exception. */
  readonly result: ThriftResult;
}

/** A head; undefined while more bytes must come; or what is wrong, as a detail of an error. */
export type Parsed<T> = T | undefined | ThriftFault;

export type ThriftFault =
  | 'thrift_length'
  | 'thrift_version'
  | 'thrift_name'
  | 'thrift_type'
  | 'thrift_truncated'
  | 'thrift_depth'
  | 'thrift_header'
  | 'thrift_message_type';

/**
 * The head of the message at `at`. `end`: where its frame ends, or infinity. Binary is the strict one with its version. No value is built, and
 * of the struct only the first field is looked at. Apache Thrift: thrift-binary-protocol.md, thrift-compact-protocol.md.
 */
export const parseMessageHead = (
  protocol: ThriftProtocol,
  bytes: Buffer,
  at: number,
  end: number,
): Parsed<MessageHead> => {
  switch (protocol) {
    case 'binary':
      return parseBinary(bytes, at, end);
    case 'compact':
      return parseCompact(bytes, at, end);
    case 'json':
      return parseJson(bytes, at, end);
    default:
      return protocol satisfies never;
  }
};

const isType = (type: number): boolean => type >= CALL && type <= ONEWAY;
const isLength = (length: number): boolean => length >= 1 && length <= MAX_NAME_BYTES;

/** What a parser returns where the cursor stopped. */
const stopped = (cursor: Cursor): undefined | ThriftFault =>
  cursor.state === 'truncated' ? 'thrift_truncated' : undefined;

const parseBinary = (bytes: Buffer, start: number, end: number): Parsed<MessageHead> => {
  const cursor = new Cursor(bytes, start, end);
  const word = cursor.i32();
  if (cursor.state === 'ok' && word >>> 16 !== 0x8001) return 'thrift_version';
  const type = word & 0xff;
  const length = cursor.i32();
  if (cursor.state === 'ok' && !isType(type)) return 'thrift_message_type';
  if (cursor.state === 'ok' && !isLength(length)) return 'thrift_name';
  const name = cursor.text(length);
  const sequenceAt = cursor.at;
  const sequence = cursor.i32();
  const bodyAt = cursor.at;
  let result: ThriftResult = 'reply';
  if (type === REPLY && cursor.u8() !== 0 && cursor.i16() !== 0) result = 'declared';
  if (type === EXCEPTION) result = exceptionResult(cursor, binaryExceptionType);
  if (cursor.state !== 'ok') return stopped(cursor);
  return { type, name, sequence, sequenceAt, sequenceBytes: 4, bodyAt, result };
};

const parseCompact = (bytes: Buffer, start: number, end: number): Parsed<MessageHead> => {
  const cursor = new Cursor(bytes, start, end);
  const id = cursor.u8();
  const second = cursor.u8();
  if (cursor.state === 'ok' && (id !== 0x82 || (second & 0x1f) !== 1)) return 'thrift_version';
  const type = second >> 5;
  if (cursor.state === 'ok' && !isType(type)) return 'thrift_message_type';
  const sequenceAt = cursor.at;
  const sequence = cursor.varint();
  const sequenceBytes = cursor.at - sequenceAt;
  const length = cursor.varint();
  if (cursor.state === 'ok' && (!isLength(length) || sequence < 0)) return 'thrift_name';
  const name = cursor.text(length);
  const bodyAt = cursor.at;
  let result: ThriftResult = 'reply';
  if (type === REPLY) {
    const field = cursor.u8();
    // A field of another id than the last one plus 1 to 15 says its id in zigzag behind its type: 0 is the first that needs it.
    if (field !== 0 && (field >> 4 !== 0 || cursor.varint() !== 0)) result = 'declared';
  }
  if (type === EXCEPTION) result = exceptionResult(cursor, compactExceptionType);
  if (cursor.state !== 'ok') return stopped(cursor);
  return { type, name, sequence: sequence | 0, sequenceAt, sequenceBytes, bodyAt, result };
};

/** `[1,"name",type,sequence,{` and the id of the first field. TJSONProtocol writes no white space. */
const JSON_HEAD = /^\[1,"([^"\\]{1,255})",([1-4]),(-?[0-9]{1,10}),\{(?:\}|"(-?[0-9]{1,6})":)/;
const MAX_JSON_HEAD = 320;

const parseJson = (bytes: Buffer, start: number, end: number): Parsed<MessageHead> => {
  const stop = Math.min(bytes.length, end, start + MAX_JSON_HEAD);
  const [whole, name, type, sequence, field] = JSON_HEAD.exec(bytes.latin1Slice(start, stop)) ?? [];
  if (whole === undefined || name === undefined || sequence === undefined) {
    if (stop === end) return 'thrift_truncated';
    return stop - start === MAX_JSON_HEAD ? 'thrift_version' : undefined;
  }
  const kind = Number(type);
  const sequenceAt = start + 5 + name.length + 3;
  const declared = kind === REPLY && field !== undefined && field !== '0';
  const result: ThriftResult = kind === EXCEPTION ? 'exception' : declared ? 'declared' : 'reply';
  const bodyAt = sequenceAt + sequence.length + 1;
  return { type: kind, name, sequence: Number(sequence), sequenceAt, sequenceBytes: sequence.length, bodyAt, result };
};

const UNKNOWN_METHOD = 1;

/** Reads on to the exception's type, where that is near. */
const exceptionResult = (cursor: Cursor, read: (cursor: Cursor, far: number) => number): ThriftResult =>
  read(cursor, cursor.at + MAX_EXCEPTION_BYTES) === UNKNOWN_METHOD ? 'unknown_method' : 'exception';

/** TApplicationException is `{1: string message, 2: i32 type}`, in any order; 0 when the type is not found. */
const binaryExceptionType = (cursor: Cursor, far: number): number => {
  for (;;) {
    const type = cursor.u8();
    if (type === 0) return 0;
    const id = cursor.i16();
    if (type === 8 && id === 2) return cursor.i32();
    if (type !== 11) return 0;
    const length = cursor.i32();
    if (length < 0 || cursor.at + length > far) return 0;
    cursor.skip(length);
  }
};

const compactExceptionType = (cursor: Cursor, far: number): number => {
  let id = 0;
  for (;;) {
    const field = cursor.u8();
    if (field === 0) return 0;
    const delta = field >> 4;
    id = delta === 0 ? cursor.varint() >>> 1 : id + delta;
    const type = field & 0x0f;
    if (type === 5 && id === 2) return cursor.varint() >>> 1;
    if (type !== 8) return 0;
    const length = cursor.varint();
    if (length < 0 || cursor.at + length > far) return 0;
    cursor.skip(length);
  }
};
