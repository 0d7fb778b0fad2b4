/**
 * The program of the HTTP/2 and gRPC app. It reads no header field: each request gets the same prepared frames, so that it
 * costs little beside the proxies that are measured. Argument: `http2` or `grpc`. Any message is answered with the count.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { hpackLiteral } from '../load/hpack.ts';
import * as http2 from '../load/http2-frames.ts';
import { SMALL_BODY } from './app.ts';
import { GRPC_MESSAGE } from './grpc-message.ts';

const STATUS_200 = Buffer.from([0x88]);
const grpc = process.argv[2] === 'grpc';

const head = Buffer.concat([STATUS_200, hpackLiteral('content-type', grpc ? 'application/grpc' : 'application/json')]);
const body = grpc ? GRPC_MESSAGE : Buffer.from(SMALL_BODY);
const answer = Buffer.concat([
  http2.frame(http2.HEADERS, http2.END_HEADERS, 0, head),
  http2.frame(http2.DATA, grpc ? 0 : http2.END_STREAM, 0, body),
  ...(grpc
    ? [http2.frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 0, hpackLiteral('grpc-status', '0'))]
    : []),
]);
/** Where the stream ids of the frames in `answer` are. */
const streamIdsAt: number[] = [];
http2.readFrames(answer, (_type, _flags, _stream, _chunk, start) => streamIdsAt.push(start - 4));

let count = 0;

const serve = (socket: Socket): void => {
  let rest: Buffer | undefined;
  let prefaceLeft = http2.PREFACE.length;
  /** What the caller still takes on this connection, RFC 9113 §5.2. Streams never come near their own limit. */
  let window = 65_535;
  let waiting: number[] = [];
  let out: Buffer[] = [];

  const respond = (stream: number): void => {
    if (window < body.length) {
      waiting.push(stream);
      return;
    }
    window -= body.length;
    const copy = Buffer.from(answer);
    for (const at of streamIdsAt) copy.writeUInt32BE(stream, at);
    out.push(copy);
  };

  const onFrame: http2.OnFrame = (type, flags, stream, chunk, start, end) => {
    if (type === http2.WINDOW_UPDATE && stream === 0) {
      window += chunk.readUInt32BE(start);
      const released = waiting;
      waiting = [];
      released.forEach(respond);
    } else if (type === http2.SETTINGS && !(flags & http2.ACK)) {
      out.push(http2.frame(http2.SETTINGS, http2.ACK, 0, Buffer.alloc(0)));
    } else if (type === http2.PING && !(flags & http2.ACK)) {
      out.push(http2.frame(http2.PING, http2.ACK, 0, Buffer.from(chunk.subarray(start, end))));
    } else if (type === http2.HEADERS || type === http2.DATA) {
      if (type === http2.DATA && end > start) out.push(http2.windowUpdate(0, end - start));
      if (!(flags & http2.END_STREAM)) return;
      count += 1;
      respond(stream);
    }
  };

  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.write(http2.settings([[http2.SETTINGS_INITIAL_WINDOW_SIZE, 1_048_576]]));
  socket.on('data', (chunk: Buffer) => {
    const skipped = Math.min(prefaceLeft, chunk.length);
    prefaceLeft -= skipped;
    const bytes = chunk.subarray(skipped);
    rest = http2.readFrames(rest ? Buffer.concat([rest, bytes]) : bytes, onFrame);
    if (out.length > 0) socket.write(Buffer.concat(out));
    out = [];
  });
};

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('message', () => process.send?.(count));
process.on('disconnect', () => process.exit());
