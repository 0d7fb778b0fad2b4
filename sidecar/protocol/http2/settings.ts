import {
  DEFAULT_WINDOW,
  FRAME,
  FRAME_HEADER_BYTES,
  H2_ERROR,
  type H2Error,
  MAX_FRAME_BYTES,
  MAX_WINDOW,
  SETTING,
  writeFrameHeader,
  writeUint32,
} from './frames.ts';

/** The dynamic table of each direction begins with this size (RFC 9113 §6.5.2). */
export const DEFAULT_TABLE_BYTES = 4_096;

/** What we announce, and enforce. */
export const OUR_SETTINGS = {
  headerTableBytes: DEFAULT_TABLE_BYTES,
  maxHeaderListBytes: 65_536,
  maxFields: 200,
} as const;

/** Our SETTINGS frame. A client refuses pushes, a server allows extended CONNECT (RFC 8441). */
export const settingsFrame = (maxConcurrentStreams: number, client: boolean): Buffer => {
  const entries: readonly (readonly [number, number])[] = [
    [SETTING.MAX_HEADER_LIST_SIZE, OUR_SETTINGS.maxHeaderListBytes],
    ...(client
      ? ([[SETTING.ENABLE_PUSH, 0]] as const)
      : ([
          [SETTING.MAX_CONCURRENT_STREAMS, maxConcurrentStreams],
          [SETTING.ENABLE_CONNECT_PROTOCOL, 1],
        ] as const)),
  ];
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + 6 * entries.length);
  let at = writeFrameHeader(frame, 0, 6 * entries.length, FRAME.SETTINGS, 0, 0);
  for (const [id, value] of entries) {
    frame[at] = id >>> 8;
    frame[at + 1] = id;
    at = writeUint32(frame, at + 2, value);
  }
  return frame;
};

/** What the peer has announced (RFC 9113 §6.5.2), with its defaults. */
export class PeerSettings {
  initialWindow = DEFAULT_WINDOW;
  maxConcurrentStreams = Number.POSITIVE_INFINITY;
  /** The smallest dynamic table that the peer has asked for. */
  leastTableBytes = DEFAULT_TABLE_BYTES;

  /** Takes a SETTINGS payload, whose length is a multiple of 6. Returns the connection error that it is, or undefined. */
  apply(payload: Buffer, start: number, end: number): H2Error | undefined {
    for (let at = start; at < end; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      switch (payload.readUInt16BE(at)) {
        case SETTING.HEADER_TABLE_SIZE:
          this.leastTableBytes = Math.min(this.leastTableBytes, value);
          break;
        case SETTING.ENABLE_PUSH:
        case SETTING.ENABLE_CONNECT_PROTOCOL:
          if (value > 1) return H2_ERROR.PROTOCOL_ERROR;
          break;
        case SETTING.INITIAL_WINDOW_SIZE:
          if (value > MAX_WINDOW) return H2_ERROR.FLOW_CONTROL_ERROR;
          this.initialWindow = value;
          break;
        case SETTING.MAX_FRAME_SIZE:
          if (value < MAX_FRAME_BYTES || value > 2 ** 24 - 1) return H2_ERROR.PROTOCOL_ERROR;
          break;
        case SETTING.MAX_CONCURRENT_STREAMS:
          this.maxConcurrentStreams = value;
          break;
        default:
          break;
      }
    }
    return undefined;
  }
}
