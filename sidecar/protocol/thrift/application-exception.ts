import { EXCEPTION, type ThriftProtocol } from './message-head.ts';
import type { ThriftTransport } from './message-reader.ts';
import { wrapInTHeader } from './theader.ts';

/** TApplicationExceptionType, as far as the mesh says it. */
export const UNKNOWN_METHOD = 1;
export const INTERNAL_ERROR = 6;
export const PROTOCOL_ERROR = 7;

export interface ApplicationException {
  readonly transport: ThriftTransport;
  readonly protocol: ThriftProtocol;
  /** The call's own; one character for each byte. */
  readonly name: string;
  readonly sequence: number;
  readonly type: number;
  /** ASCII. */
  readonly text: string;
}

/** A `TApplicationException` as it goes to the caller, frame and all. */
export const applicationException = (exception: ApplicationException): Buffer => {
  const { transport, protocol, sequence } = exception;
  const message = MESSAGES[protocol](exception);
  if (transport === 'unframed') return message;
  const content = transport === 'header' ? wrapInTHeader(protocol, sequence, message) : message;
  const frame = Buffer.allocUnsafe(content.length + 4);
  frame.writeInt32BE(content.length, 0);
  content.copy(frame, 4);
  return frame;
};

const i32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value, 0);
  return bytes;
};

const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  let rest = value >>> 0;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
};

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

const MESSAGES: Readonly<Record<ThriftProtocol, (exception: ApplicationException) => Buffer>> = {
  binary: ({ name, sequence, type, text }) =>
    Buffer.concat([
      Buffer.from([0x80, 1, 0, EXCEPTION]),
      i32(name.length),
      latin1(name),
      i32(sequence),
      Buffer.from([11, 0, 1]),
      i32(text.length),
      latin1(text),
      Buffer.from([8, 0, 2]),
      i32(type),
      Buffer.from([0]),
    ]),
  compact: ({ name, sequence, type, text }) =>
    Buffer.concat([
      Buffer.from([0x82, (EXCEPTION << 5) | 1]),
      varint(sequence),
      varint(name.length),
      latin1(name),
      Buffer.from([0x18]),
      varint(text.length),
      latin1(text),
      Buffer.from([0x15, type << 1, 0]),
    ]),
  json: ({ name, sequence, type, text }) =>
    latin1(`[1,"${name}",${EXCEPTION},${sequence},{"1":{"str":${JSON.stringify(text)}},"2":{"i32":${type}}}]`),
};
