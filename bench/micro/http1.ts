/** What the HTTP/1 codec costs without system calls. `node bench/micro/http1.ts` */
import { Duplex } from 'node:stream';
import { bench, group, run, summary } from 'mitata';
import { systemClock } from '../../common/clock.ts';
import { Fields, ResponseHead } from '../../sidecar/protocol/head.ts';
import { Http1ClientConnection } from '../../sidecar/protocol/http1/forward.ts';
import { parseFields } from '../../sidecar/protocol/http1/parse-fields.ts';
import { Http1RequestHeads } from '../../sidecar/protocol/http1/request-heads.ts';
import { Http1ResponseHeads } from '../../sidecar/protocol/http1/response-heads.ts';
import { Http1ServerConnection } from '../../sidecar/protocol/http1/serve.ts';
import type { Downstream, RequestSink, ResponseSink } from '../../sidecar/protocol/stream.ts';

const FIELDS =
  'Host: books.default:8080\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n';
const PLAIN = `GET /v1/books/42 HTTP/1.1\r\n${FIELDS}\r\n`;
const TRACED = (id: number): string =>
  `POST /v1/books/42 HTTP/1.1\r\n${FIELDS}Content-Type: application/json\r\nX-Request-Id: 6f9619ff-8b86-d011-b42d-00c0${id}\r\nContent-Length: 11\r\n\r\nhello world`;
const RESPONSE = (second: number): string =>
  `HTTP/1.1 200 OK\r\nServer: app\r\nDate: Sun, 22 Nov 2026 10:00:${second} GMT\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n${'x'.repeat(100)}`;

/** A socket that swallows what is written, at the price of a stream and no more. */
class NoSocket extends Duplex {
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    done();
  }
}
const account = { hold: () => {}, release: () => {}, roomToGrow: true };
const many = (count: number, text: (i: number) => string): string[] =>
  Array.from({ length: count }, (_, i) => text(10 + (i % 50) * 97));
const buffers = (texts: readonly string[]): Buffer[] => texts.map(text => Buffer.from(text, 'latin1'));

group('request heads: match', () => {
  summary(() => {
    const heads = new Http1RequestHeads();
    const traced = many(64, TRACED);
    const seen = [PLAIN, PLAIN, PLAIN, ...traced].map(
      text => heads.match(text, 0) ?? heads.parse(text.slice(0, text.indexOf('\r\n\r\n') + 4)),
    );
    if (seen.some(head => typeof head === 'string')) throw new Error('a request was refused');
    let i = 0;
    const plain = Buffer.from(PLAIN);
    const tracedBytes = buffers(traced);
    bench('no volatile field', () => heads.match(plain.toString('latin1', 0, plain.length), 0));
    bench('x-request-id and content-length', () => {
      const bytes = tracedBytes[i++ & 63]!;
      return heads.match(bytes.toString('latin1', 0, bytes.length), 0);
    });
    bench('ever new path', () => heads.match(`GET /v1/books/${i++} HTTP/1.1\r\n${FIELDS}\r\n`, 0));
    const misses = new Http1RequestHeads();
    bench('ever new field: no hit', () => {
      const text = `GET /v1/books/42 HTTP/1.1\r\n${FIELDS}Authorization: ${i++}\r\n\r\n`;
      return misses.match(text, 0) ?? misses.parse(text);
    });
    bench('plain decoding, nothing kept', () => {
      const text = `GET /v1/books/42 HTTP/1.1\r\n${FIELDS}Authorization: ${i++}\r\n\r\n`;
      return parseFields(text, 16, 27);
    });
  });
});

group('a whole exchange, head and small body', () => {
  const requests = buffers(many(64, TRACED));
  const responses = buffers(many(64, RESPONSE));
  const answer = new ResponseHead(
    200,
    new Fields(['server', 'app', 'content-type', 'application/json'], '1.1;Server,Date,Content-Type,Content-Length'),
  );
  const volatile = ['date', 'Sun, 22 Nov 2026 10:00:00 GMT', 'content-length', '100'];
  const body = Buffer.alloc(100, 'x');
  let downstream: Downstream | undefined;
  const sink: RequestSink = {
    requestData: (chunk, end) => {
      downstream?.requestConsumed(chunk.length);
      if (!end) return;
      downstream?.sendHead(answer, volatile, false);
      downstream?.sendData(body, true);
    },
    requestTrailers: () => {},
    requestReset: () => {},
    responseConsumed: () => {},
  };
  const server = new Http1ServerConnection(
    new NoSocket(),
    {
      heads: new Http1RequestHeads(),
      account,
      clock: systemClock,
      answerError: () => ({ head: answer, volatile, body }),
    },
    {
      onRequest: exchange => {
        downstream = exchange;
        return sink;
      },
      onProtocolError: error => {
        throw new Error(error.detail);
      },
      onClose: () => {},
    },
  );
  let i = 0;
  bench('server: read request, write response', () => server.push(requests[i++ & 63]!));

  const heads = new Http1RequestHeads();
  const text = TRACED(10);
  const request = heads.parse(text.slice(0, text.indexOf('\r\n\r\n') + 4));
  if (typeof request === 'string') throw new Error(request);
  const socket = new NoSocket();
  const client = new Http1ClientConnection(socket, {
    heads: new Http1ResponseHeads(),
    account,
    onIdle: () => {},
    onClose: () => {},
  });
  const responseSink: ResponseSink = {
    informational: () => {},
    responseHead: () => {},
    responseData: () => {},
    responseTrailers: () => {},
    responseReset: error => {
      throw new Error(error.detail);
    },
    requestConsumed: () => {},
  };
  const hello = Buffer.from('hello world');
  bench('client: write request, read response', () => {
    client.request(responseSink, request.head, request.volatile, false).sendData(hello, true);
    socket.emit('data', responses[i++ & 63]!);
  });
});

await run();
