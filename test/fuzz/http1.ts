/**
 * Mutated HTTP/1 against the codec: `node test/fuzz/http1.ts [--count 100000] [--seed N]`. Prints the seed.
 * It must never throw or hang; it must read exactly the messages that a plain second reading finds, however the bytes are cut and
 * whatever was read before; what it writes must read as the one message that it was told to write.
 */
import { strictEqual } from 'node:assert';
import { parseArgs } from 'node:util';
import { manualClock } from '../../common/clock.ts';
import { seededRandom } from '../../common/random.ts';
import { type FieldList, Fields, RequestHead, ResponseHead } from '../../sidecar/protocol/head.ts';
import { Http1ClientConnection } from '../../sidecar/protocol/http1/forward.ts';
import { Http1RequestHeads } from '../../sidecar/protocol/http1/request-heads.ts';
import { Http1ResponseHeads } from '../../sidecar/protocol/http1/response-heads.ts';
import { Http1ServerConnection } from '../../sidecar/protocol/http1/serve.ts';
import type { BufferAccount, Downstream } from '../../sidecar/protocol/stream.ts';
import { Recorder } from './http1/recorder.ts';
import { type ReferenceMessage, readRequests, readResponse } from './http1/reference.ts';
import { hasOneReading } from './http1/written-request.ts';

const REQUESTS = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /x?y HTTP/1.1\r\nHost: a:80\r\nX-Request-Id: 1\r\nUser-Agent: b\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n',
  'PUT /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\na\r\n0123456789\r\n0\r\nX: 1\r\n\r\n',
  'GET http://b/q HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, x\r\nX: 1\r\n\r\n',
  'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
];
const RESPONSES = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: now\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n\r\n',
  'HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno',
];
const PIECES = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '\r\n\r\n',
  '\r\n ',
  '0',
  '+',
  '-',
  '0x',
  'f',
  'ff',
  '\xff',
  '\x7f',
  '#',
  '@',
  '"',
  'Content-Length: 5\r\n',
  'Content-Length: 0\r\n',
  'Transfer-Encoding: chunked\r\n',
  'transfer-encoding:chunked\r\n',
  'Host: b\r\n',
  'Host: a\r\n',
  'Connection: close\r\n',
  'chunked',
  'identity',
  'gzip, ',
  '0\r\n\r\n',
  '5\r\nhello\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  ' HTTP/1.1',
  'HTTP/1.0',
  '1.2',
];

class Account implements BufferAccount {
  held = 0;
  readonly roomToGrow = true;
  hold(bytes: number): void {
    this.held += bytes;
  }
  release(bytes: number): void {
    this.held -= bytes;
  }
}

const NO_CONTENT = new ResponseHead(204, new Fields([]));

interface Read {
  readonly head: RequestHead;
  readonly volatile: FieldList;
  body: string;
  whole: boolean;
}

/** What the server connection makes of `parts`. */
const serve = (heads: Http1RequestHeads, parts: readonly string[]): Read[] => {
  const reads: Read[] = [];
  const account = new Account();
  const socket = new Recorder();
  const connection = new Http1ServerConnection(
    socket,
    {
      heads,
      account,
      clock: manualClock(),
      answerError: () => ({ head: NO_CONTENT, volatile: [], body: Buffer.alloc(0) }),
    },
    {
      onRequest: (downstream: Downstream, head, volatile, end) => {
        const read: Read = { head, volatile, body: '', whole: end };
        reads.push(read);
        const answer = (): void => {
          read.whole = true;
          downstream.sendHead(NO_CONTENT, [], true);
        };
        if (end || head.protocol !== '') answer();
        return {
          requestData: (chunk, last) => {
            read.body += chunk.toString('latin1');
            downstream.requestConsumed(chunk.length);
            if (last && !read.whole) answer();
          },
          requestTrailers: answer,
          requestReset: () => {},
          responseConsumed: () => {},
        };
      },
      onProtocolError: () => {},
      onClose: () => {},
    },
  );
  for (const part of parts) connection.push(Buffer.from(part, 'latin1'));
  socket.emit('close');
  strictEqual(account.held, 0, 'nothing stays on the account');
  return reads;
};

/** What the client connection makes of `parts` and the end of the connection: undefined when it was reset before a head. */
const receive = (heads: Http1ResponseHeads, parts: readonly string[]): ReferenceMessage | undefined => {
  const account = new Account();
  const socket = new Recorder();
  const connection = new Http1ClientConnection(socket, { heads, account, onIdle: () => {}, onClose: () => {} });
  let start = '';
  let body = '';
  let whole = false;
  const upstream = connection.request(
    {
      informational: () => {},
      responseHead: (head, _volatile, end) => {
        start = String(head.status);
        whole = end;
      },
      responseData: (chunk, end) => {
        body += chunk.toString('latin1');
        whole = end;
        upstream.responseConsumed(chunk.length);
      },
      responseTrailers: () => {
        whole = true;
      },
      responseReset: () => strictEqual(whole, false, 'a whole response is not reset'),
      requestConsumed: () => {},
    },
    new RequestHead('GET', 'http', 'a', '/', new Fields([])),
    [],
    true,
  );
  for (const part of parts) socket.emit('data', Buffer.from(part, 'latin1'));
  socket.emit('end');
  socket.emit('close');
  strictEqual(account.held, 0, 'nothing stays on the account');
  return start === '' ? undefined : { start, target: '', body, whole };
};

const sameMessage = (read: Read, expected: ReferenceMessage, text: string): void => {
  strictEqual(read.head.method, expected.start, text);
  strictEqual(`${read.head.authority} ${read.head.path}`, expected.target, text);
  strictEqual(read.whole, expected.whole, text);
  strictEqual(
    read.whole ? read.body : expected.body.slice(0, read.body.length),
    read.whole ? expected.body : read.body,
    text,
  );
};

/** Runs `count` cases. Throws an AssertionError with the text of the case that fails. */
export const fuzzHttp1 = (count: number, seed: number): { readonly messages: number; readonly refused: number } => {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const mutate = (text: string): string => {
    const at = below(text.length + 1);
    switch (below(6)) {
      case 0:
        return text.slice(0, at) + pick(PIECES) + text.slice(at);
      case 1:
        return text.slice(0, at) + text.slice(at + 1 + below(4));
      case 2:
        return text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + 1);
      case 3: {
        const end = at + below(40);
        return text.slice(0, end) + text.slice(at);
      }
      case 4: {
        // At a line's start, where a field does most harm.
        const line = text.indexOf('\r\n', at);
        return line === -1 ? text : text.slice(0, line + 2) + pick(PIECES) + text.slice(line + 2);
      }
      default:
        return text.slice(0, at);
    }
  };
  const cut = (text: string): string[] => {
    const parts: string[] = [];
    for (let at = 0; at < text.length; ) {
      const end = at + 1 + below(random() < 0.3 ? 3 : text.length);
      parts.push(text.slice(at, end));
      at = end;
    }
    return parts;
  };
  const make = (corpus: readonly string[], most: number): string => {
    let text = '';
    for (let i = 1 + below(most); i > 0; i--) text += pick(corpus);
    for (let i = below(4); i > 0; i--) text = mutate(text);
    return text;
  };

  const requestHeads = new Http1RequestHeads();
  const responseHeads = new Http1ResponseHeads();
  let messages = 0;
  let refused = 0;
  for (let i = 0; i < count; i++) {
    if (i % 3 === 2) {
      const text = make(RESPONSES, 1);
      const expected = readResponse(text);
      const response = receive(responseHeads, cut(text));
      const shown = JSON.stringify(text);
      strictEqual(response?.start, expected?.start, shown);
      strictEqual(response?.whole, expected?.whole, shown);
      if (expected?.whole === true) strictEqual(response?.body, expected.body, shown);
      if (expected === undefined) refused++;
      continue;
    }
    const text = make(REQUESTS, 3);
    const shown = JSON.stringify(text);
    const expected = readRequests(text);
    const reads = serve(requestHeads, cut(text));
    strictEqual(reads.length, expected.length, shown);
    for (const [index, read] of reads.entries()) {
      sameMessage(read, expected[index]!, shown);
      if (!read.whole) continue;
      hasOneReading(read, [], shown);
    }
    messages += reads.length;
    if (reads.length === 0) refused++;
  }
  return { messages, refused };
};

if (import.meta.main) {
  const { values } = parseArgs({ options: { count: { type: 'string', default: '100000' }, seed: { type: 'string' } } });
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  console.log(`seed ${seed}`);
  const started = performance.now();
  const { messages, refused } = fuzzHttp1(Number(values.count), seed);
  console.log(
    `${values.count} cases, ${messages} requests read, ${refused} texts refused, ${Math.round(performance.now() - started)} ms`,
  );
}
