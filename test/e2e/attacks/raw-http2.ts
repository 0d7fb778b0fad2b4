/** HTTP/2 frames on a socket, written by hand, to a sidecar's outbound listener. */
import { once } from 'node:events';
import net from 'node:net';
import { HpackDecoder } from '../../../sidecar/protocol/http2/hpack/decoder.ts';
import { PREFACE, settings } from '../../unit/sidecar/protocol/http2/wire.ts';

const HEADERS = 1;
const RST_STREAM = 3;
const GOAWAY = 7;

export interface Frame {
  readonly type: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Owned by the test. */
export class RawHttp2 implements Disposable {
  readonly socket: net.Socket;
  readonly frames: Frame[] = [];
  closed = false;
  private rest: Buffer = Buffer.alloc(0);
  private readonly decoder = new HpackDecoder({ maxTableBytes: 4_096, maxListBytes: 65_536, maxFields: 200 });
  private readonly statuses = new Map<number, string>();

  /** `announced`: SETTINGS of the client. */
  constructor(port: number, announced: Readonly<Record<number, number>> = {}) {
    this.socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.closed = true;
    });
    this.socket.on('data', (chunk: Buffer) => this.read(chunk));
    this.write(PREFACE, settings(announced));
  }

  write(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** Waits for as long as the socket takes what was written. */
  async writeAll(bytes: Buffer): Promise<void> {
    if (!this.socket.write(bytes) && !this.closed) await Promise.race([once(this.socket, 'drain'), this.end()]);
  }

  private async end(): Promise<void> {
    if (!this.closed) await once(this.socket, 'close');
  }

  /** Until `done`, the end of the connection, or 5 s. */
  async until(done: () => boolean): Promise<void> {
    const end = performance.now() + 5_000;
    while (!done() && !this.closed && performance.now() < end) await new Promise(resolve => setTimeout(resolve, 5));
  }

  status(stream: number): string | undefined {
    return this.statuses.get(stream);
  }

  /** The code of the RST_STREAM of a stream. */
  reset(stream: number): number | undefined {
    return this.frames.find(frame => frame.type === RST_STREAM && frame.stream === stream)?.payload.readUInt32BE(0);
  }

  /** The code of the GOAWAY. */
  get goaway(): number | undefined {
    return this.frames.find(({ type }) => type === GOAWAY)?.payload.readUInt32BE(4);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  private read(chunk: Buffer): void {
    let bytes = Buffer.concat([this.rest, chunk]);
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const end = 9 + bytes.readUIntBE(0, 3);
      const frame = { type: bytes[3] ?? 0, stream: bytes.readUInt32BE(5), payload: bytes.subarray(9, end) };
      this.frames.push(frame);
      if (frame.type === HEADERS) {
        const list: string[] = [];
        this.decoder.decode(frame.payload, 0, frame.payload.length, list);
        this.statuses.set(frame.stream, list[1] ?? '');
      }
      bytes = bytes.subarray(end);
    }
    this.rest = bytes;
  }
}
