/** Apache Thrift, framed and binary: methods that take one i32 and give one, `i32 name(1: i32 argument)`. */
import { exchange, type Measure, serveBytes } from './bytes.ts';

const CALL = 1;
const REPLY = 2;
/** After the length of the frame: version and kind of message, the method's length. */
const NAME_AT = 12;
const I32 = 8;

const frameLength: Measure = bytes => {
  if (bytes.length < 4) return undefined;
  const length = 4 + bytes.readUInt32BE();
  return bytes.length < length ? undefined : length;
};

/** `field`: 1 is the argument, 0 the result. */
const write = (kind: number, name: string, sequence: number, field: number, value: number): Buffer => {
  const bytes = Buffer.alloc(NAME_AT + name.length + 12);
  bytes.writeUInt32BE(bytes.length - 4, 0);
  bytes.writeUInt32BE(0x80010000 + kind, 4);
  bytes.writeUInt32BE(name.length, 8);
  bytes.write(name, NAME_AT, 'latin1');
  const at = NAME_AT + name.length;
  bytes.writeInt32BE(sequence, at);
  bytes.writeUInt8(I32, at + 4);
  bytes.writeUInt16BE(field, at + 5);
  bytes.writeInt32BE(value, at + 7); // and behind it a zero byte: no more fields
  return bytes;
};

const read = (bytes: Buffer): { kind: number; name: string; sequence: number; value: number } => {
  const at = NAME_AT + bytes.readUInt32BE(8);
  return {
    kind: bytes.readUInt8(7),
    name: bytes.toString('latin1', NAME_AT, at),
    sequence: bytes.readInt32BE(at),
    value: bytes.readInt32BE(at + 7),
  };
};

export const serveThrift = (port: number, answer: (name: string, argument: number) => number): void =>
  serveBytes(port, frameLength, message => {
    const { name, sequence, value } = read(message);
    return write(REPLY, name, sequence, 0, answer(name, value));
  });

/** @throws when the answer is an exception. */
export const callThrift = async (service: string, name: string, argument: number): Promise<number> => {
  const { kind, value } = read(await exchange(service, frameLength, write(CALL, name, 1, 1, argument)));
  if (kind !== REPLY) throw new Error(`${service}: ${name} failed`);
  return value;
};
