/** The one Thrift call of the benchmark: framed transport, strict binary protocol, one string there and one back. */
import { SMALL_BODY } from './app.ts';

export const THRIFT_METHOD = 'echo';

const VERSION_1 = 0x8001_0000;
const CALL = 1;
const REPLY = 2;
const STRING_FIELD = 11;
const STOP = 0;

const FRAME_HEAD_BYTES = 4;
/** Where a frame has its sequence id. */
export const SEQUENCE_AT = FRAME_HEAD_BYTES + 4 + 4 + THRIFT_METHOD.length;

const message = (type: number, field: number): Buffer => {
  const text = Buffer.from(SMALL_BODY);
  const frame = Buffer.alloc(SEQUENCE_AT + 4 + 3 + 4 + text.length + 1);
  frame.writeUInt32BE(frame.length - FRAME_HEAD_BYTES);
  frame.writeUInt32BE((VERSION_1 | type) >>> 0, 4);
  frame.writeUInt32BE(THRIFT_METHOD.length, 8);
  frame.write(THRIFT_METHOD, 12);
  const fields = SEQUENCE_AT + 4;
  frame[fields] = STRING_FIELD;
  frame.writeUInt16BE(field, fields + 1);
  frame.writeUInt32BE(text.length, fields + 3);
  text.copy(frame, fields + 7);
  frame[frame.length - 1] = STOP;
  return frame;
};

const numbered = (frame: Buffer, sequence: number): Buffer => {
  const copy = Buffer.from(frame);
  copy.writeUInt32BE(sequence, SEQUENCE_AT);
  return copy;
};

const CALL_FRAME = message(CALL, 1);
const REPLY_FRAME = message(REPLY, 0);

export const thriftCall = (sequence: number): Buffer => numbered(CALL_FRAME, sequence);
export const thriftReply = (sequence: number): Buffer => numbered(REPLY_FRAME, sequence);

/** Calls `onFrame` with each whole frame, its length in front; returns what is left over. */
export const readThriftFrames = (bytes: Buffer, onFrame: (frame: Buffer) => void): Buffer => {
  let at = 0;
  while (bytes.length - at >= FRAME_HEAD_BYTES) {
    const end = at + FRAME_HEAD_BYTES + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    onFrame(bytes.subarray(at, end));
    at = end;
  }
  return bytes.subarray(at);
};
