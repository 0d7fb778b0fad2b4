import { type FieldList, Fields, ResponseHead } from '../head.ts';
import type { Http1Fault } from './faults.ts';
import { HeadPattern, PatternCache } from './head-pattern.ts';
import { MAX_START_LINE_BYTES } from './limits.ts';
import { type ParsedFields, parseFields } from './parse-fields.ts';
import { plainDecimal } from './syntax.ts';

/** Some servers leave out the space after the status when they have no reason to give. The reason is not used (RFC 9112 §4). */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?$/;

/** A response head that was read. */
export interface DecodedResponse {
  readonly head: ResponseHead;
  readonly volatile: FieldList;
  readonly pattern: ResponsePattern;
  /** Content-Length; -1: none. */
  readonly contentLength: number;
  /** Bytes of the head. */
  readonly bytes: number;
}

/** Many responses: status line and fields. */
export class ResponsePattern extends HeadPattern {
  readonly head: ResponseHead;
  /** The server lets the connection live after this response. */
  readonly keepAlive: boolean;
  readonly chunked: boolean;

  constructor(version: '1.0' | '1.1', status: number, parsed: ParsedFields) {
    super(parsed.pieces, parsed.volatile, true);
    const { connection } = parsed;
    this.head = new ResponseHead(status, new Fields(parsed.stable, `${version};${parsed.names}`));
    this.keepAlive = !connection.includes('close') && (version === '1.1' || connection.includes('keep-alive'));
    this.chunked = parsed.chunked;
  }
}

/** Reads response heads, and gives the same object for the same bytes. Owned by the pool; shared by its connections. */
export class Http1ResponseHeads {
  private readonly patterns = new PatternCache<ResponsePattern>();

  /** Reads a head that begins at `at`, if it looks like one that was read before. Undefined says nothing: use `parse`. */
  match(text: string, at: number): DecodedResponse | undefined {
    const pattern = this.patterns.find(text, at);
    if (pattern === undefined) return undefined;
    const { volatile } = this.patterns;
    const contentLength = pattern.lengthAt === -1 ? -1 : plainDecimal(volatile[pattern.lengthAt]!);
    if (contentLength === -1 && pattern.lengthAt !== -1) return undefined;
    return { head: pattern.head, volatile, pattern, contentLength, bytes: pattern.textLength(volatile) };
  }

  /** Reads `text`, which is one head up to and with its empty line. RFC 9112 §4, §5, §6. */
  parse(text: string): DecodedResponse | Http1Fault {
    const lineEnd = text.indexOf('\r\n');
    if (lineEnd > MAX_START_LINE_BYTES) return 'bad_status_line';
    const line = STATUS_LINE.exec(text.slice(0, lineEnd));
    if (line === null) return 'bad_status_line';
    const parsed = parseFields(text, 0, lineEnd + 2);
    if (typeof parsed === 'string') return parsed;
    const version = line[1] === '1' ? '1.1' : '1.0';
    if (parsed.chunked && version === '1.0') return 'transfer_encoding_in_http_1_0';
    const pattern = this.patterns.intern(parsed.pieces, () => new ResponsePattern(version, Number(line[2]), parsed));
    const { volatile, contentLength } = parsed;
    return { head: pattern.head, volatile, pattern, contentLength, bytes: text.length };
  }
}
