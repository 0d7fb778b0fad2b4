/**
 * HTTP/1 read a second time, in the plainest way: whole texts and regular expressions by the letter of RFC 9112.
 * Slow, unbounded, and written apart from the codec, so that the two don't share their mistakes.
 */

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const FIELDS = `((?:${TOKEN}:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n)*)\\r\\n`;
const REQUEST = new RegExp(`(${TOKEN}) ([\\x21\\x22\\x24-\\x7e\\x80-\\xff]+) HTTP/1\\.([01])\\r\\n${FIELDS}`, 'y');
const RESPONSE = new RegExp(`HTTP/1\\.([01]) ([1-5][0-9]{2})(?: [\\t\\x20-\\x7e\\x80-\\xff]*)?\\r\\n${FIELDS}`, 'y');
const CHUNK = /([0-9A-Fa-f]{1,13})((?:;[\t\x20-\x7e\x80-\xff]*)?)\r\n/y;
const TRAILERS = new RegExp(FIELDS, 'y');
const HOST = /^(?:[A-Za-z0-9\-._~%!$&'()*+;=]*|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?$/;

export interface ReferenceMessage {
  /** Method or status. */
  readonly start: string;
  readonly target: string;
  readonly body: string;
  /** The whole body is there. */
  readonly whole: boolean;
}

interface Framing {
  readonly kind: 'none' | 'length' | 'chunked' | 'close';
  readonly length: number;
}

const fieldsOf = (text: string): [string, string][] =>
  text
    .split('\r\n')
    .slice(0, -1)
    .map(line => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, '')];
    });

const valuesOf = (fields: readonly [string, string][], name: string): string[] =>
  fields.filter(([key]) => key === name).map(([, value]) => value);

/** Undefined: the message is ambiguous or not understood, and must be refused. */
const framingOf = (
  fields: readonly [string, string][],
  minor: string,
  without: Framing['kind'],
): Framing | undefined => {
  const encodings = valuesOf(fields, 'transfer-encoding');
  const lengths = valuesOf(fields, 'content-length');
  if (encodings.length > 0) {
    const understood =
      encodings.length === 1 && encodings[0]!.toLowerCase() === 'chunked' && minor === '1' && lengths.length === 0;
    return understood ? { kind: 'chunked', length: 0 } : undefined;
  }
  if (lengths.length === 0) return { kind: without, length: 0 };
  if (lengths.length > 1 || !/^[0-9]{1,32}$/.test(lengths[0]!) || BigInt(lengths[0]!) >= 2n ** 53n) return undefined;
  return { kind: 'length', length: Number(lengths[0]) };
};

interface Body {
  readonly body: string;
  readonly whole: boolean;
  readonly next: number;
}

const readChunks = (text: string, from: number): Body => {
  let at = from;
  let body = '';
  for (;;) {
    CHUNK.lastIndex = at;
    const size = CHUNK.exec(text);
    if (size === null || size[2]!.length > 240) return { body, whole: false, next: text.length };
    at = CHUNK.lastIndex;
    const bytes = Number.parseInt(size[1]!, 16);
    if (bytes === 0) break;
    body += text.slice(at, at + bytes);
    if (text.slice(at + bytes, at + bytes + 2) !== '\r\n') return { body, whole: false, next: text.length };
    at += bytes + 2;
  }
  TRAILERS.lastIndex = at;
  const whole = TRAILERS.test(text);
  return { body, whole, next: whole ? TRAILERS.lastIndex : text.length };
};

const readBody = (text: string, at: number, framing: Framing): Body => {
  if (framing.kind === 'chunked') return readChunks(text, at);
  if (framing.kind === 'none') return { body: '', whole: true, next: at };
  if (framing.kind === 'close') return { body: text.slice(at), whole: true, next: text.length };
  const body = text.slice(at, at + framing.length);
  return { body, whole: body.length === framing.length, next: at + framing.length };
};

const targetOf = (method: string, target: string, host: string): string | undefined => {
  if (target.startsWith('/') || (target === '*' && method === 'OPTIONS')) return `${host} ${target}`;
  const absolute = /^http:\/\/([^/?]+)(.*)$/i.exec(target);
  if (absolute === null || !HOST.test(absolute[1]!)) return undefined;
  const rest = absolute[2]!;
  if (rest === '') return `${absolute[1]} ${method === 'OPTIONS' ? '*' : '/'}`;
  return `${absolute[1]} ${rest.startsWith('/') ? rest : `/${rest}`}`;
};

/** The requests in `text` up to the first that is refused (CONNECT is) or ends the connection. */
export const readRequests = (text: string): ReferenceMessage[] => {
  const messages: ReferenceMessage[] = [];
  let at = 0;
  for (;;) {
    REQUEST.lastIndex = at + (text.startsWith('\r\n', at) ? 2 : 0);
    const head = REQUEST.exec(text);
    if (head === null) return messages;
    const [, method, rawTarget, minor, lines] = head as unknown as [string, string, string, string, string];
    const fields = fieldsOf(lines);
    const hosts = valuesOf(fields, 'host');
    const framing = framingOf(fields, minor, 'none');
    if (framing === undefined || hosts.length > 1 || (hosts.length === 0 && minor === '1')) return messages;
    const target = HOST.test(hosts[0] ?? '') ? targetOf(method, rawTarget, hosts[0] ?? '') : undefined;
    if (target === undefined || method === 'CONNECT') return messages;
    const { body, whole, next } = readBody(text, REQUEST.lastIndex, framing);
    messages.push({ start: method, target, body, whole });
    const options = valuesOf(fields, 'connection')
      .join(',')
      .toLowerCase()
      .split(/[\t ]*,[\t ]*/);
    const closes = options.includes('close') || (minor === '0' && !options.includes('keep-alive'));
    if (!whole || closes) return messages;
    at = next;
  }
};

/** The response in `text` to a GET, after any 1xx; undefined when there is none, or it must be refused. The connection ends after `text`. */
export const readResponse = (text: string): ReferenceMessage | undefined => {
  RESPONSE.lastIndex = 0;
  for (;;) {
    const head = RESPONSE.exec(text);
    if (head === null) return undefined;
    const [, minor, status, lines] = head as unknown as [string, string, string, string];
    const none = status === '204' || status === '304';
    const framing = framingOf(fieldsOf(lines), minor, 'close');
    if (framing === undefined || status === '101') return undefined;
    if (status.startsWith('1')) continue;
    const { body, whole } = readBody(text, RESPONSE.lastIndex, none ? { kind: 'none', length: 0 } : framing);
    return { start: status, target: '', body, whole };
  }
};
