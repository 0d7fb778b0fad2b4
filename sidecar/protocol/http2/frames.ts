/** HTTP/2 frames (RFC 9113 §4, §6): the numbers, and how the fixed-size ones are written. */

export const FRAME_HEADER_BYTES = 9;
/** SETTINGS_MAX_FRAME_SIZE's default, which we keep in both directions. */
export const MAX_FRAME_BYTES = 16_384;
export const DEFAULT_WINDOW = 65_535;
export const MAX_WINDOW = 2 ** 31 - 1;
export const MAX_STREAM_ID = 2 ** 31 - 1;
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
  /** The link's own: who speaks, once per connection, on stream 0. */
  PEER: 0xf0,
} as const;

/** What our PINGs carry, to tell their acknowledgements apart. */
export const PING = { DRAIN: 0, KEEP_ALIVE: 1 } as const;

export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;

export const SETTING = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
  ENABLE_CONNECT_PROTOCOL: 8,
} as const;

/** Error codes, RFC 9113 §7. */
export const H2_ERROR = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
  HTTP_1_1_REQUIRED: 13,
  /** The link's own: the certificates of the connection have ended. To others it is what every unknown code is, INTERNAL_ERROR. */
  CERTIFICATE_EXPIRED: 0xf0,
} as const;

export type H2Error = (typeof H2_ERROR)[keyof typeof H2_ERROR];

/** Writes a frame header at `pos`; the position behind it. */
export const writeFrameHeader = (
  out: Buffer,
  pos: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number => {
  out[pos] = length >>> 16;
  out[pos + 1] = length >>> 8;
  out[pos + 2] = length;
  out[pos + 3] = type;
  out[pos + 4] = flags;
  return writeUint32(out, pos + 5, streamId);
};

export const writeUint32 = (out: Buffer, pos: number, value: number): number => {
  out[pos] = value >>> 24;
  out[pos + 1] = value >>> 16;
  out[pos + 2] = value >>> 8;
  out[pos + 3] = value;
  return pos + 4;
};

/** The 31 bits of a stream id, window increment or the like; the reserved bit is ignored (RFC 9113 §4.1). */
export const readUint31 = (buf: Buffer, pos: number): number =>
  (((buf[pos] as number) & 0x7f) << 24) |
  ((buf[pos + 1] as number) << 16) |
  ((buf[pos + 2] as number) << 8) |
  (buf[pos + 3] as number);
