import { VOLATILE } from '../head.ts';
import { isReserved } from '../reserved-fields.ts';
import type { Http1Fault } from './faults.ts';
import { MAX_FIELDS } from './limits.ts';
import { contentLength, isFieldValueIn, isToken, isTokenIn, trimmedEnd, trimmedStart } from './syntax.ts';

type Kind = 'host' | 'length' | 'encoding' | 'connection' | 'upgrade' | 'te' | 'hop' | 'volatile';

/** Fields that are not simply stable. `hop`: of this connection alone (RFC 9110 §7.6.1). */
const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...Array.from(VOLATILE, name => [name, 'volatile'] as const),
  ['content-length', 'length'],
  ['host', 'host'],
  ['transfer-encoding', 'encoding'],
  ['connection', 'connection'],
  ['upgrade', 'upgrade'],
  ['te', 'te'],
  ['keep-alive', 'hop'],
  ['proxy-connection', 'hop'],
]);
/** Options of Connection that name no field, or one that is looked at on its own. They say where the message ends and to whom it goes. */
const NO_FIELD_TO_DROP: ReadonlySet<string> = new Set([
  'close',
  'keep-alive',
  'upgrade',
  'te',
  'host',
  'content-length',
  'transfer-encoding',
]);
/** Fields that mean nothing, or something dangerous, after the body (RFC 9110 §6.5.1). */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'host',
  'te',
  'trailer',
  'content-encoding',
  'content-type',
  'content-range',
  'authorization',
  'set-cookie',
]);

/** The fields of one head, checked and sorted out. */
export interface ParsedFields {
  /** The text around the volatile values: one more than there are values. */
  readonly pieces: readonly string[];
  /** Volatile fields, in order: name, value, … */
  readonly volatile: string[];
  /** Stable end-to-end fields, in order. */
  readonly stable: string[];
  /** Names in their own spelling, separated by commas, hop-by-hop ones left out. */
  readonly names: string;
  /** Lower-case options of Connection. */
  readonly connection: readonly string[];
  /** Host fields, in order. */
  readonly hosts: readonly string[];
  /** -1: none. */
  readonly contentLength: number;
  readonly chunked: boolean;
  /** Lower-case Upgrade value, '' when there is none. */
  readonly upgrade: string;
}

/**
 * Reads the field lines of a head. `text` is the head up to and with its empty line; `from` is where the first piece begins, `at` the first field line.
 * RFC 9112 §5, without its leniencies: no obs-fold, no bare CR or LF, no space before the colon.
 */
export const parseFields = (text: string, from: number, at: number): ParsedFields | Http1Fault => {
  const lines = readLines(text, at);
  if (typeof lines === 'string') return lines;
  const { names, lower, values, ends } = lines;
  const connection = lower.includes('connection') ? elements(lower, values, 'connection') : NO_ELEMENTS;
  const dropped = connection.filter(option => !NO_FIELD_TO_DROP.has(option));
  const chunked = lower.includes('transfer-encoding');
  const encodingFault = chunked ? checkTransferEncoding(elements(lower, values, 'transfer-encoding')) : undefined;
  if (encodingFault !== undefined) return encodingFault;

  const pieces: string[] = [];
  const volatile: string[] = [];
  const stable: string[] = [];
  const hosts: string[] = [];
  let shape = '';
  let length = -1;
  let upgrade = '';
  let pieceStart = from;
  for (let i = 0; i < lower.length; i++) {
    const name = lower[i]!;
    const kind = KINDS.get(name);
    let value = values[i]!;
    if (kind === 'connection' || kind === 'hop' || isReserved(name)) continue;
    if (kind === 'upgrade') {
      upgrade = upgrade === '' ? value.toLowerCase() : `${upgrade},`;
      continue;
    }
    if (dropped.length > 0 && dropped.includes(name)) continue;
    if (kind === 'te') {
      if (stable.includes('te') || !TE_TRAILERS.test(value)) continue;
      value = 'trailers';
    }
    shape += shape === '' ? names[i]! : `,${names[i]!}`;
    if (kind === 'encoding') continue;
    if (kind === 'host') {
      hosts.push(value);
      continue;
    }
    if (kind === 'length') {
      if (length !== -1) return 'content_length_repeated';
      if (chunked) return 'transfer_encoding_with_content_length';
      length = contentLength(value);
      if (length === -1) return 'bad_content_length';
      value = String(length);
    }
    if (kind === 'length' || kind === 'volatile') {
      volatile.push(name, value);
      const end = ends[i]!;
      pieces.push(text.slice(pieceStart, end - values[i]!.length));
      pieceStart = end;
    } else stable.push(name, value);
  }
  pieces.push(text.slice(pieceStart));
  return { pieces, volatile, stable, names: shape, connection, hosts, contentLength: length, chunked, upgrade };
};

/** A trailer section (up to and with its empty line) as fields; those that have no business there are left out. */
export const parseTrailers = (text: string): string[] | Http1Fault => {
  const lines = readLines(text, 0);
  if (typeof lines === 'string') return lines === 'too_many_fields' ? 'trailers_too_long' : 'bad_trailer';
  const list: string[] = [];
  lines.lower.forEach((name, i) => {
    if (!NOT_IN_TRAILERS.has(name) && !isReserved(name)) list.push(name, lines.values[i]!);
  });
  return list;
};

const NO_ELEMENTS: readonly string[] = [];
const TE_TRAILERS = /(?:^|,)[ \t]*trailers[ \t]*(?:$|[,;])/i;

interface Lines {
  readonly names: string[];
  /** The names in lower case. */
  readonly lower: string[];
  readonly values: string[];
  /** Where each value ends in the text. */
  readonly ends: number[];
}

const readLines = (text: string, at: number): Lines | Http1Fault => {
  const names: string[] = [];
  const lower: string[] = [];
  const values: string[] = [];
  const ends: number[] = [];
  const last = text.length - 2;
  while (at < last) {
    const lineEnd = text.indexOf('\r\n', at);
    const colon = text.indexOf(':', at);
    if (colon === -1 || colon > lineEnd) return lineFault(text.slice(at, lineEnd), 'bad_field_name');
    const name = text.slice(at, colon);
    if (!isTokenIn(text, at, colon))
      return lineFault(name, isToken(name.trimEnd()) ? 'space_before_colon' : 'bad_field_name');
    const start = trimmedStart(text, colon + 1, lineEnd);
    const end = trimmedEnd(text, start, lineEnd);
    const value = text.slice(start, end);
    if (!isFieldValueIn(text, start, end)) return /[\r\n]/.test(value) ? 'bad_line_end' : 'bad_field_value';
    if (names.length === MAX_FIELDS) return 'too_many_fields';
    names.push(name);
    lower.push(name.toLowerCase());
    values.push(value);
    ends.push(end);
    at = lineEnd + 2;
  }
  return { names, lower, values, ends };
};

const lineFault = (start: string, fault: Http1Fault): Http1Fault => {
  if (/^[ \t]/.test(start)) return 'obs_fold';
  return /[\r\n]/.test(start) ? 'bad_line_end' : fault;
};

/** The elements of all fields called `wanted`, lower-case; empty ones left out. */
const elements = (names: readonly string[], values: readonly string[], wanted: string): string[] => {
  const found: string[] = [];
  names.forEach((name, i) => {
    if (name !== wanted) return;
    for (const part of values[i]!.toLowerCase().split(',')) {
      const element = part.replace(/^[ \t]+|[ \t]+$/g, '');
      if (element !== '' || wanted === 'transfer-encoding') found.push(element);
    }
  });
  return found;
};

/** Only `chunked`, once and alone, is understood (RFC 9112 §6.1, §7). */
const checkTransferEncoding = (codings: readonly string[]): Http1Fault | undefined => {
  if (codings.length === 1 && codings[0] === 'chunked') return undefined;
  const wellFormed = codings.every(isToken);
  const early = codings.slice(0, -1).includes('chunked');
  return wellFormed && !early ? 'unknown_transfer_coding' : 'bad_transfer_encoding';
};
