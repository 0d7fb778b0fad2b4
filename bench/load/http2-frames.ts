/** HTTP/2 frames (RFC 9113 §4), as little of them as a load generator and its app need. */

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const FRAME_HEAD_BYTES = 9;

export const DATA = 0x0;
export const HEADERS = 0x1;
export const RST_STREAM = 0x3;
export const SETTINGS = 0x4;
export const PING = 0x6;
export const GOAWAY = 0x7;
export const WINDOW_UPDATE = 0x8;

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const PRIORITY = 0x20;

export const SETTINGS_HEADER_TABLE_SIZE = 0x1;
export const SETTINGS_INITIAL_WINDOW_SIZE = 0x4;

/** Called for each whole frame; the payload is `chunk` from `start` to `end`, valid during the call. */
export type OnFrame = (type: number, flags: number, stream: number, chunk: Buffer, start: number, end: number) => void;

/** Cuts a byte stream into frames. Returns the bytes of the frame that is not complete yet. */
export const readFrames = (chunk: Buffer, onFrame: OnFrame): Buffer | undefined => {
  let at = 0;
  while (chunk.length - at >= FRAME_HEAD_BYTES) {
    const end = at + FRAME_HEAD_BYTES + chunk.readUIntBE(at, 3);
    if (end > chunk.length) break;
    onFrame(chunk[at + 3]!, chunk[at + 4]!, chunk.readUInt32BE(at + 5) & 0x7fffffff, chunk, at + FRAME_HEAD_BYTES, end);
    at = end;
  }
  return at < chunk.length ? chunk.subarray(at) : undefined;
};

export const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  writeFrameHead(head, 0, payload.length, type, flags, stream);
  return Buffer.concat([head, payload]);
};

export const writeFrameHead = (
  target: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): void => {
  target.writeUIntBE(length, at, 3);
  target[at + 3] = type;
  target[at + 4] = flags;
  target.writeUInt32BE(stream, at + 5);
};

export const windowUpdate = (stream: number, bytes: number): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(WINDOW_UPDATE, 0, stream, payload);
};

export const settings = (entries: readonly (readonly [id: number, value: number])[]): Buffer => {
  const payload = Buffer.alloc(entries.length * 6);
  entries.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  });
  return frame(SETTINGS, 0, 0, payload);
};

/** Value of one setting in a SETTINGS payload, or undefined. */
export const settingOf = (chunk: Buffer, start: number, end: number, id: number): number | undefined => {
  for (let at = start; at + 6 <= end; at += 6) if (chunk.readUInt16BE(at) === id) return chunk.readUInt32BE(at + 2);
  return undefined;
};
