import { type FieldList, Fields, RequestHead } from '../head.ts';
import type { Http1Fault } from './faults.ts';
import { HeadPattern, PatternCache } from './head-pattern.ts';
import { MAX_START_LINE_BYTES } from './limits.ts';
import { type ParsedFields, parseFields } from './parse-fields.ts';
import { isAuthority, isTarget, isToken, plainDecimal } from './syntax.ts';

export type Http1Version = '1.0' | '1.1';

const VERSION_LENGTH = ' HTTP/1.1'.length;
/** Request lines kept for one pattern, and for all of a listener. */
const MAX_LINES_PER_PATTERN = 256;
const MAX_LINES = 4_096;
/** A longer request line is not kept. */
const MAX_KEPT_LINE_BYTES = 1_024;

/** A request head that was read. */
export interface DecodedRequest {
  readonly head: RequestHead;
  readonly volatile: FieldList;
  readonly pattern: RequestPattern;
  /** Content-Length; -1: none. */
  readonly contentLength: number;
  /** Bytes of the head. */
  readonly bytes: number;
}

/** What follows the method and target of many requests: version and fields. */
export class RequestPattern extends HeadPattern {
  readonly version: Http1Version;
  readonly fields: Fields;
  readonly authority: string;
  /** The client lets the connection live after this request. */
  readonly keepAlive: boolean;
  readonly chunked: boolean;
  /** The protocol that a GET asks to change to; '' for none. */
  readonly upgrade: string;
  /** The heads by method and target; while the pattern is kept. */
  private lines: Map<string, RequestHead> | undefined = undefined;
  private lastLine = '';
  private lastHead: RequestHead | undefined = undefined;

  constructor(version: Http1Version, parsed: ParsedFields) {
    super(parsed.pieces, parsed.volatile, false);
    const { connection, upgrade } = parsed;
    this.version = version;
    this.fields = new Fields(parsed.stable, `${version};${parsed.names}`);
    this.authority = parsed.hosts[0] ?? '';
    this.chunked = parsed.chunked;
    this.keepAlive = !connection.includes('close') && (version === '1.1' || connection.includes('keep-alive'));
    const plain = upgrade === 'h2c' || !isToken(upgrade) || parsed.chunked || parsed.contentLength !== -1;
    this.upgrade = version === '1.1' && connection.includes('upgrade') && !plain ? upgrade : '';
  }

  /** The head with this method and target, if it is known. Clients repeat themselves, and comparing is cheaper than hashing. */
  headFor(line: string): RequestHead | undefined {
    if (line === this.lastLine) return this.lastHead;
    const head = this.lines?.get(line);
    if (head !== undefined) {
      this.lastLine = line;
      this.lastHead = head;
    }
    return head;
  }

  /** Keeps a head; by how many more are kept now. */
  keep(line: string, head: RequestHead): number {
    this.lines ??= new Map();
    const before = this.lines.size;
    if (before >= MAX_LINES_PER_PATTERN) this.lines.clear();
    this.lines.set(line, head);
    return this.lines.size - before;
  }

  forgetHeads(): void {
    this.lines = undefined;
  }
}

/**
 * Reads request heads, and gives the same object for the same bytes. Owned by a listener; shared by its connections.
 * Interned in two steps, so that requests with ever new paths still share their fields: pattern, then method and target.
 */
export class Http1RequestHeads {
  private readonly patterns = new PatternCache<RequestPattern>();
  private lines = 0;

  /** Reads a head that begins at `at`, if it looks like one that was read before. Undefined says nothing: use `parse`. */
  match(text: string, at: number): DecodedRequest | undefined {
    const lineEnd = text.indexOf('\r\n', at);
    const versionAt = lineEnd - VERSION_LENGTH;
    if (versionAt <= at) return undefined;
    const pattern = this.patterns.find(text, versionAt);
    if (pattern === undefined) return undefined;
    const { volatile } = this.patterns;
    const contentLength = pattern.lengthAt === -1 ? -1 : plainDecimal(volatile[pattern.lengthAt]!);
    if (contentLength === -1 && pattern.lengthAt !== -1) return undefined;
    const line = text.slice(at, versionAt);
    const head = pattern.headFor(line) ?? this.headOf(pattern, line, text.length);
    if (typeof head === 'string' || head.method === 'CONNECT') return undefined;
    return { head, volatile, pattern, contentLength, bytes: versionAt - at + pattern.textLength(volatile) };
  }

  /** Reads `text`, which is one head up to and with its empty line. RFC 9112 §3, §5, §6. */
  parse(text: string): DecodedRequest | Http1Fault {
    const lineEnd = text.indexOf('\r\n');
    if (lineEnd > MAX_START_LINE_BYTES) return 'request_line_too_long';
    const versionAt = lineEnd - VERSION_LENGTH;
    const version = text.slice(Math.max(0, versionAt), lineEnd);
    if (version !== ' HTTP/1.1' && version !== ' HTTP/1.0') return versionFault(text.slice(0, lineEnd));
    const parsed = parseFields(text, versionAt, lineEnd + 2);
    if (typeof parsed === 'string') return parsed;
    const fault = checkFields(version === ' HTTP/1.1' ? '1.1' : '1.0', parsed);
    if (fault !== undefined) return fault;
    const pattern = this.patterns.intern(
      parsed.pieces,
      () => new RequestPattern(version === ' HTTP/1.1' ? '1.1' : '1.0', parsed),
    );
    const line = text.slice(0, versionAt);
    const head = pattern.headFor(line) ?? this.headOf(pattern, line, text.length);
    if (typeof head === 'string') return head;
    const { contentLength, chunked, volatile } = parsed;
    if (head.method === 'CONNECT' && (chunked || contentLength > 0)) return 'body_with_connect';
    return { head, volatile, pattern, contentLength, bytes: text.length };
  }

  /** `textLength`: of the text that `line` was cut from. */
  private headOf(pattern: RequestPattern, line: string, textLength: number): RequestHead | Http1Fault {
    if (!pattern.kept || line.length > MAX_KEPT_LINE_BYTES) return requestHead(pattern, line);
    // A slice keeps the text that it was cut from: a copy keeps less.
    const kept = textLength > MAX_KEPT_LINE_BYTES ? Buffer.from(line, 'latin1').toString('latin1') : line;
    const head = requestHead(pattern, kept);
    if (typeof head === 'string') return head;
    if (this.lines >= MAX_LINES) {
      for (const known of this.patterns.all()) known.forgetHeads();
      this.lines = 0;
    }
    this.lines += pattern.keep(kept, head);
    return head;
  }
}

const checkFields = (version: Http1Version, parsed: ParsedFields): Http1Fault | undefined => {
  if (parsed.hosts.length > 1) return 'host_repeated';
  if (parsed.hosts.length === 0 && version === '1.1') return 'host_missing';
  if (!isAuthority(parsed.hosts[0] ?? '')) return 'bad_host';
  return parsed.chunked && version === '1.0' ? 'transfer_encoding_in_http_1_0' : undefined;
};

/** `line`: method and target. RFC 9112 §3.2: origin-form, absolute-form, authority-form with CONNECT, asterisk-form with OPTIONS. */
const requestHead = (pattern: RequestPattern, line: string): RequestHead | Http1Fault => {
  const space = line.indexOf(' ');
  const method = line.slice(0, Math.max(0, space));
  const target = line.slice(space + 1);
  const { authority, fields, upgrade } = pattern;
  if (!isToken(method)) return 'bad_method';
  if (target === '' || !isTarget(target)) return 'bad_target';
  if (target.startsWith('/') && method !== 'CONNECT') {
    return new RequestHead(method, 'http', authority, target, fields, method === 'GET' ? upgrade : '');
  }
  if (method === 'CONNECT') {
    const port = Number(/^[^:\]]+:([0-9]{1,5})$|^\[[^\]]+\]:([0-9]{1,5})$/.exec(target)?.slice(1).join('') ?? 0);
    return port >= 1 && port <= 65_535 && isAuthority(target)
      ? new RequestHead(method, 'http', target, '', fields)
      : 'bad_target';
  }
  if (target === '*' && method === 'OPTIONS') return new RequestHead(method, 'http', authority, target, fields);
  const absolute = /^http:\/\/([^/?]+)(.*)$/i.exec(target);
  if (absolute === null || !isAuthority(absolute[1]!)) return 'bad_target';
  const rest = absolute[2]!;
  const path = rest === '' && method === 'OPTIONS' ? '*' : rest.startsWith('/') ? rest : `/${rest}`;
  return new RequestHead(method, 'http', absolute[1]!, path, fields, method === 'GET' ? upgrade : '');
};

const versionFault = (line: string): Http1Fault => {
  if (line === 'PRI * HTTP/2.0') return 'http2_preface';
  if (/[\r\n]/.test(line)) return 'bad_line_end';
  return /^[^ ]+ [^ ]+ HTTP\/[0-9]+\.[0-9]+$/.test(line) ? 'bad_version' : 'bad_request_line';
};
