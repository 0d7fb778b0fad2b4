import { type ClientHello, parseClientHello } from './client-hello.ts';
import { detectHttp } from './detect-protocol.ts';

/** What a redirected connection carries. `tcp`: bytes that are passed on as they are. A ClientHello: TLS, the app's own unless it is the mesh's. */
export type DetectedRedirected = 'http1' | 'http2' | 'tcp' | ClientHello;

/** A TLS record of the handshake begins with it, and no HTTP. */
const TLS_BYTE = 22;

/** A request line of which so much came without its end, and whose method nobody knows, is none. */
const MAX_LINE_BYTES = 1_024;
const HTTP1_START = /^(?:GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS|TRACE) (?:\/|\*|https?:)/;
const REQUEST_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32} [^\r\n ]{1,1000} HTTP\/1\.[0-9]\r?\n/;
/** What can still become a request line. */
const LINE_BEGUN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}(?: [^\r\n]*\r?)?$/;

/** Tells TLS from everything else. */
export const detectTls = (bytes: Buffer): 'tcp' | ClientHello | undefined => {
  const hello = parseClientHello(bytes);
  return hello === null ? 'tcp' : hello;
};

/** Tells HTTP and TLS from everything else by the first bytes; undefined while they could still be either. One look, at most 1,024 bytes, of TLS its first message. */
export const detectRedirected = (bytes: Buffer): DetectedRedirected | undefined => {
  if (bytes[0] === TLS_BYTE) return detectTls(bytes);
  const http = detectHttp(bytes);
  if (http !== 'http1') return http;
  const start = bytes.toString('latin1', 0, MAX_LINE_BYTES);
  if (HTTP1_START.test(start) || REQUEST_LINE.test(start)) return 'http1';
  return LINE_BEGUN.test(start) && start.length < MAX_LINE_BYTES ? undefined : 'tcp';
};
