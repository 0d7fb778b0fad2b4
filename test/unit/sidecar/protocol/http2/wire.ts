/** HTTP/2 as a peer that is not ours writes and reads it, for the tests of the connections. */
import { Duplex } from 'node:stream';
import { HpackDecoder } from '../../../../../sidecar/protocol/http2/hpack/decoder.ts';
import { encodeFields } from '../../../../../sidecar/protocol/http2/hpack/encoder.ts';

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const PRIORITY = 32;

const TYPES = [
  'DATA',
  'HEADERS',
  'PRIORITY',
  'RST_STREAM',
  'SETTINGS',
  'PUSH_PROMISE',
  'PING',
  'GOAWAY',
  'WINDOW_UPDATE',
  'CONTINUATION',
] as const;
export type FrameType = (typeof TYPES)[number] | 'PEER';

export const frame = (
  type: FrameType | number,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer => {
  const code = typeof type === 'number' ? type : type === 'PEER' ? 0xf0 : TYPES.indexOf(type);
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = code;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};

const word = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
};

export const settings = (entries: Readonly<Record<number, number>> = {}): Buffer =>
  frame(
    'SETTINGS',
    0,
    0,
    Buffer.concat(
      Object.entries(entries).map(([id, value]) => Buffer.concat([Buffer.from([0, Number(id)]), word(value)])),
    ),
  );
export const HEADER_TABLE_SIZE = 1;
export const MAX_CONCURRENT_STREAMS = 3;
export const INITIAL_WINDOW_SIZE = 4;

export const headers = (stream: number, list: readonly string[], flags = END_STREAM): Buffer =>
  block(stream, encodeFields(list), flags);
export const block = (stream: number, bytes: Uint8Array, flags = END_STREAM): Buffer =>
  frame('HEADERS', flags | END_HEADERS, stream, bytes);
export const data = (stream: number, body: string | Uint8Array, flags = 0): Buffer =>
  frame('DATA', flags, stream, Buffer.from(body as Uint8Array));
export const rst = (stream: number, code = 8): Buffer => frame('RST_STREAM', 0, stream, word(code));
export const windowUpdate = (stream: number, bytes: number): Buffer => frame('WINDOW_UPDATE', 0, stream, word(bytes));
export const ping = (flags = 0, payload = 'pingpong'): Buffer => frame('PING', flags, 0, Buffer.from(payload));
export const goaway = (last: number, code = 0): Buffer =>
  frame('GOAWAY', 0, 0, Buffer.concat([word(last), word(code)]));

export const GET = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'a'] as const;
export const POST = [':method', 'POST', ':scheme', 'http', ':path', '/', ':authority', 'a'] as const;

/** A frame that was written. */
export interface Written {
  readonly type: FrameType;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
  /** Decoded, when it is HEADERS. */
  readonly list: readonly string[];
}

/** A socket in memory: what is written is cut into frames, at once or when the test lets the peer read. */
export class WireSocket extends Duplex {
  readonly written: Written[] = [];
  ended = false;
  private rest = Buffer.alloc(0);
  private prefaceLeft: number;
  private stuck: (() => void)[] | undefined = undefined;
  private readonly decoder = new HpackDecoder({ maxTableBytes: 4_096, maxListBytes: 1_000_000, maxFields: 1_000 });
  private parts: Buffer[] = [];

  /** `preface`: what is written begins with the client's. */
  constructor(preface: boolean) {
    super({ allowHalfOpen: true, writableHighWaterMark: 1 });
    this.prefaceLeft = preface ? PREFACE.length : 0;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.cut(Buffer.from(chunk));
    if (this.stuck === undefined) done();
    else this.stuck.push(done);
  }

  override _final(done: () => void): void {
    this.ended = true;
    done();
  }

  /** The peer stops reading. */
  stick(): void {
    this.stuck = [];
  }

  unstick(): void {
    const done = this.stuck ?? [];
    this.stuck = undefined;
    for (const each of done) each();
  }

  private cut(chunk: Buffer): void {
    let bytes = Buffer.concat([this.rest, chunk]);
    const skip = Math.min(this.prefaceLeft, bytes.length);
    this.prefaceLeft -= skip;
    bytes = bytes.subarray(skip);
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const length = bytes.readUIntBE(0, 3);
      this.note(bytes[3] as number, bytes[4] as number, bytes.readUInt32BE(5), bytes.subarray(9, 9 + length));
      bytes = bytes.subarray(9 + length);
    }
    this.rest = bytes;
  }

  private note(code: number, flags: number, stream: number, payload: Buffer): void {
    const type: FrameType = code === 0xf0 ? 'PEER' : (TYPES[code] as FrameType);
    const list: string[] = [];
    if (type === 'HEADERS' || type === 'CONTINUATION') {
      this.parts.push(payload);
      if ((flags & END_HEADERS) !== 0) {
        const whole = Buffer.concat(this.parts);
        this.parts = [];
        const problem = this.decoder.decode(whole, 0, whole.length, list);
        if (problem !== '') throw new Error(`unreadable header block: ${problem}`);
      }
    }
    this.written.push({ type, flags, stream, payload, list });
  }

  /** What was written, in short: `HEADERS 1 :status=200 end`, `DATA 1 5 end`, `RST_STREAM 1 8`. Without settings and connection windows. */
  get lines(): string[] {
    return this.written
      .filter(({ type, stream }) => type !== 'SETTINGS' && !(type === 'WINDOW_UPDATE' && stream === 0))
      .map(describe);
  }

  of(type: FrameType): Written[] {
    return this.written.filter(each => each.type === type);
  }

  /** The body bytes that were sent on a stream. */
  body(stream: number): string {
    return Buffer.concat(
      this.of('DATA')
        .filter(each => each.stream === stream)
        .map(each => each.payload),
    ).toString('latin1');
  }
}

const describe = ({ type, flags, stream, payload, list }: Written): string => {
  const end = (type === 'DATA' || type === 'HEADERS') && (flags & END_STREAM) !== 0 ? ' end' : '';
  if (type === 'HEADERS') {
    const fields: string[] = [];
    for (let i = 0; i < list.length; i += 2) fields.push(`${list[i]}=${list[i + 1]}`);
    return `HEADERS ${stream} ${fields.join(' ')}${end}`;
  }
  if (type === 'DATA') return `DATA ${stream} ${payload.length}${end}`;
  if (type === 'RST_STREAM' || type === 'WINDOW_UPDATE') return `${type} ${stream} ${payload.readUInt32BE()}`;
  if (type === 'GOAWAY') return `GOAWAY ${payload.readUInt32BE()} ${payload.readUInt32BE(4)}`;
  if (type === 'PING') return `PING${(flags & ACK) !== 0 ? ' ack' : ''}`;
  return `${type} ${stream}`;
};
