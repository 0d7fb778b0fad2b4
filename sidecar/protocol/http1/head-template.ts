import { type FieldList, type Fields, VOLATILE } from '../head.ts';
import { MAX_FIELDS } from './limits.ts';
import { isAuthority, isFieldValue, isTarget, isToken, plainDecimal } from './syntax.ts';

const MAX_SHAPE_BYTES = 8_192;
/** Never written from a list: they belong to this connection, or have a place of their own. */
const NOT_WRITTEN: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'host',
  'content-length',
]);

/** What a head says about its body: a Content-Length of so many bytes, or one of these. */
export const NO_LENGTH = -1;
export const BAD_FIELDS = -2;

/** The Content-Length among volatile fields, `NO_LENGTH`, or `BAD_FIELDS` when the list must not be written. */
export const announcedLength = (volatile: FieldList): number => {
  let length = NO_LENGTH;
  for (let i = 0; i < volatile.length; i += 2) {
    const value = volatile[i + 1]!;
    if (volatile[i] === 'content-length') {
      if (length !== NO_LENGTH) return BAD_FIELDS;
      length = plainDecimal(value);
      if (length === -1) return BAD_FIELDS;
    } else if (!isFieldValue(value)) return BAD_FIELDS;
  }
  return length;
};

/** The names of an HTTP/1 shape; none when it is malformed: it may come from another sidecar. */
export const shapeNames = (shape: string): readonly string[] => {
  if (shape.length > MAX_SHAPE_BYTES || !/^1\.[01];/.test(shape)) return [];
  const names = shape.slice(4).split(',');
  return names.length <= MAX_FIELDS && names.every(isToken) ? names : [];
};

interface Hole {
  /** Lower-case. */
  readonly name: string;
  /** `Name: `, as the original peer spelled it. */
  readonly label: string;
  /** The constant lines that follow. */
  readonly after: string;
}

/**
 * The text of a head's fields in their original order and spelling, with holes for what may differ: Host, Transfer-Encoding
 * and the volatile fields. Fields that the shape does not have (the mesh added them) stand at the end.
 */
export class HeadTemplate {
  private readonly before: string;
  private readonly holes: readonly Hole[];
  private readonly hasHost: boolean;
  private readonly hasTransferEncoding: boolean;

  constructor(fields: Fields) {
    const left = writable(fields.list);
    const names = shapeNames(fields.http1Shape);
    const holes: { name: string; label: string; after: string }[] = [];
    let before = '';
    const constant = (line: string): void => {
      const hole = holes.at(-1);
      if (hole === undefined) before += line;
      else hole.after += line;
    };
    for (const spelled of names) {
      const name = spelled.toLowerCase();
      if (name === 'host' || name === 'transfer-encoding' || VOLATILE.has(name)) {
        const once = VOLATILE.has(name) && name !== 'content-length';
        if (once || !holes.some(hole => hole.name === name)) holes.push({ name, label: `${spelled}: `, after: '' });
        continue;
      }
      const at = left.findIndex(field => field.name === name);
      if (at !== -1) constant(`${spelled}: ${left.splice(at, 1)[0]!.value}\r\n`);
    }
    for (const field of left) constant(`${field.name}: ${field.value}\r\n`);
    if (fields.list.some((text, i) => i % 2 === 0 && text === 'te')) constant('Connection: TE\r\n');
    this.before = before;
    this.holes = holes;
    this.hasHost = holes.some(hole => hole.name === 'host');
    this.hasTransferEncoding = holes.some(hole => hole.name === 'transfer-encoding');
  }

  /**
   * The head as text: `start` (the start line), the fields, `last` (further lines) and the empty line.
   * `host`: undefined in a response. `length`: whether Content-Length may be written. `volatile` has passed `announcedLength`.
   */
  render(
    start: string,
    host: string | undefined,
    volatile: FieldList,
    length: boolean,
    chunked: boolean,
    last: string,
  ): string {
    let text = start;
    if (host !== undefined && !this.hasHost) text += `host: ${host}\r\n`;
    text += this.before;
    let rest = volatile;
    let at = 0;
    for (const { name, label, after } of this.holes) {
      if (rest[at] === name) {
        if (length || name !== 'content-length') text += `${label}${rest[at + 1]!}\r\n`;
        at += 2;
      } else if (name === 'host') {
        if (host !== undefined) text += `${label}${host}\r\n`;
      } else if (name === 'transfer-encoding') {
        if (chunked) text += `${label}chunked\r\n`;
      } else {
        const found = indexOfField(rest, at, name);
        if (found !== -1) {
          if (length || name !== 'content-length') text += `${label}${rest[found + 1]!}\r\n`;
          rest = [...rest.slice(at, found), ...rest.slice(found + 2)];
          at = 0;
        }
      }
      text += after;
    }
    for (; at < rest.length; at += 2) {
      if (length || rest[at] !== 'content-length') text += `${rest[at]!}: ${rest[at + 1]!}\r\n`;
    }
    if (chunked && !this.hasTransferEncoding) text += 'transfer-encoding: chunked\r\n';
    return `${text}${last}\r\n`;
  }
}

/** The template of these fields, made once. */
export const templateOf = (fields: Fields): HeadTemplate => {
  const known = fields.http1Template;
  if (known instanceof HeadTemplate) return known;
  const template = new HeadTemplate(fields);
  fields.http1Template = template;
  return template;
};

/** A trailer section with its empty line. Fields that can't be written are left out. */
export const trailerSection = (trailers: FieldList): string => {
  let text = '';
  for (const { name, value } of writable(trailers)) text += `${name}: ${value}\r\n`;
  return `${text}\r\n`;
};

const writable = (list: FieldList): { name: string; value: string }[] => {
  const fields: { name: string; value: string }[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!;
    const value = list[i + 1]!;
    if (!NOT_WRITTEN.has(name) && isToken(name) && isFieldValue(value)) fields.push({ name, value });
  }
  return fields;
};

const indexOfField = (list: FieldList, from: number, name: string): number => {
  for (let i = from; i < list.length; i += 2) if (list[i] === name) return i;
  return -1;
};

/** Whether a request line can be written from these without saying something else. */
export const isWritableTarget = (method: string, path: string, authority: string): boolean =>
  isToken(method) && path !== '' && isTarget(path) && isAuthority(authority);
