import { VOLATILE } from '../head.ts';
import type { Http1Fault } from './faults.ts';
import { MAX_FIELDS } from './limits.ts';
import { contentLength, isFieldValue, isToken, trimmedEnd, trimmedStart } from './syntax.ts';

/** Fields of this connection alone (RFC 9110 §7.6.1). Transfer-Encoding, TE and Upgrade are looked at on their own. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
/** A Connection field that names one of these does not take it away: they say where the message ends and to whom it goes. */
const NOT_NOMINABLE: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding', 'te', 'upgrade']);
/** Fields that mean nothing, or something dangerous, after the body (RFC 9110 §6.5.1). */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
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
  const fields = readLines(text, at);
  if (typeof fields === 'string') return fields;
  const { names, values, ends } = fields;
  const lower = names.map(name => name.toLowerCase());

  const connection = elements(lower, values, 'connection');
  const transferEncoding = lower.includes('transfer-encoding')
    ? elements(lower, values, 'transfer-encoding')
    : undefined;
  const encodingFault = transferEncoding && checkTransferEncoding(transferEncoding);
  if (encodingFault !== undefined) return encodingFault;

  const pieces: string[] = [];
  const volatile: string[] = [];
  const stable: string[] = [];
  const shape: string[] = [];
  const hosts: string[] = [];
  let length = -1;
  let upgrade = '';
  let pieceStart = from;
  for (let i = 0; i < lower.length; i++) {
    const name = lower[i]!;
    let value = values[i]!;
    if (name === 'host') {
      hosts.push(value);
      shape.push(names[i]!);
      continue;
    }
    if (name === 'transfer-encoding') {
      shape.push(names[i]!);
      continue;
    }
    if (name === 'upgrade') {
      upgrade = upgrade === '' ? value.toLowerCase() : `${upgrade},`;
      continue;
    }
    if (HOP_BY_HOP.has(name) || (connection.includes(name) && !NOT_NOMINABLE.has(name))) continue;
    if (name === 'te') {
      if (stable.includes('te') || !/(?:^|,)[ \t]*trailers[ \t]*(?:$|[,;])/i.test(value)) continue;
      value = 'trailers';
    }
    if (name === 'content-length') {
      if (length !== -1) return 'content_length_repeated';
      if (transferEncoding !== undefined) return 'transfer_encoding_with_content_length';
      length = contentLength(value);
      if (length === -1) return 'bad_content_length';
      value = String(length);
    }
    shape.push(names[i]!);
    if (VOLATILE.has(name)) {
      volatile.push(name, value);
      const end = ends[i]!;
      pieces.push(text.slice(pieceStart, end - values[i]!.length));
      pieceStart = end;
    } else stable.push(name, value);
  }
  pieces.push(text.slice(pieceStart));
  return {
    pieces,
    volatile,
    stable,
    names: shape.join(','),
    connection,
    hosts,
    contentLength: length,
    chunked: transferEncoding !== undefined,
    upgrade,
  };
};

/** A trailer section (up to and with its empty line) as fields; those that have no business there are left out. */
export const parseTrailers = (text: string): string[] | Http1Fault => {
  const fields = readLines(text, 0);
  if (typeof fields === 'string') return fields === 'too_many_fields' ? 'trailers_too_long' : 'bad_trailer';
  const list: string[] = [];
  fields.names.forEach((name, i) => {
    const lower = name.toLowerCase();
    if (!NOT_IN_TRAILERS.has(lower)) list.push(lower, fields.values[i]!);
  });
  return list;
};

interface Lines {
  readonly names: string[];
  readonly values: string[];
  /** Where each value ends in the text. */
  readonly ends: number[];
}

const readLines = (text: string, at: number): Lines | Http1Fault => {
  const names: string[] = [];
  const values: string[] = [];
  const ends: number[] = [];
  const last = text.length - 2;
  while (at < last) {
    const lineEnd = text.indexOf('\r\n', at);
    const colon = text.indexOf(':', at);
    const name = text.slice(at, colon === -1 || colon > lineEnd ? lineEnd : colon);
    if (colon === -1 || colon > lineEnd) return lineFault(name, 'bad_field_name');
    if (!isToken(name)) return lineFault(name, isToken(name.trimEnd()) ? 'space_before_colon' : 'bad_field_name');
    const start = trimmedStart(text, colon + 1, lineEnd);
    const end = trimmedEnd(text, start, lineEnd);
    const value = text.slice(start, end);
    if (!isFieldValue(value)) return /[\r\n]/.test(value) ? 'bad_line_end' : 'bad_field_value';
    if (names.length === MAX_FIELDS) return 'too_many_fields';
    names.push(name);
    values.push(value);
    ends.push(end);
    at = lineEnd + 2;
  }
  return { names, values, ends };
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
