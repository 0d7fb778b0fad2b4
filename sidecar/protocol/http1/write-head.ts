import type { FieldList, RequestHead, ResponseHead } from '../head.ts';
import { announcedLength, BAD_FIELDS, isWritableTarget, templateOf } from './head-template.ts';
import type { Http1Version } from './request-heads.ts';
import { statusLine } from './status-line.ts';
import type { Framing, MessageWriter } from './write-message.ts';

/** Methods whose requests have a body by their meaning: without one, a length of 0 says so (RFC 9110 §8.6). */
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** What the request tells about the framing of its response. */
export interface ResponseTo {
  readonly version: Http1Version;
  readonly method: string;
  /** The protocol of an Upgrade; ''. */
  readonly protocol: string;
}

/**
 * Begins a request. False when the head can't be written without meaning something else; nothing was written then.
 * Framing: a Content-Length as it is; else chunked when a body comes; else none. An Upgrade's bytes come later (`beginRaw`).
 */
export const beginRequest = (writer: MessageWriter, head: RequestHead, volatile: FieldList, end: boolean): boolean => {
  const { method, authority, fields, protocol } = head;
  const length = announcedLength(volatile);
  const line = requestLine(head);
  if (length === BAD_FIELDS || (end && length > 0) || line === '') return false;
  const upgrade = protocol !== '';
  const chunked = !end && length < 0 && !upgrade;
  let last = '';
  if (upgrade) last = `connection: Upgrade\r\nupgrade: ${protocol}\r\n`;
  else if (end && length < 0 && fields.http1Shape === '' && WITH_BODY.has(method)) last = 'content-length: 0\r\n';
  const text = templateOf(fields).render(line, authority, volatile, !upgrade, chunked, last);
  const framing: Framing = chunked ? 'chunked' : length > 0 && !upgrade ? 'length' : 'none';
  writer.begin(text, framing, length);
  return true;
};

/** Made once for each head; '' when a request line of these would say something else. */
const requestLine = (head: RequestHead): string => {
  const { method, path, authority } = head;
  head.http1Line ??= isWritableTarget(method, path, authority) ? `${method} ${path} HTTP/1.1\r\n` : '';
  return head.http1Line;
};

/** A response head as it was written, and what it was made of: the next one with this head is often the same, to the second in its `date`. */
class WrittenResponse {
  readonly text: string;
  readonly framing: Framing;
  readonly length: number;
  private readonly to: ResponseTo;
  private readonly volatile: FieldList;
  private readonly end: boolean;
  private readonly keepAlive: boolean;

  constructor(
    to: ResponseTo,
    volatile: FieldList,
    end: boolean,
    keepAlive: boolean,
    text: string,
    framing: Framing,
    length: number,
  ) {
    this.to = { version: to.version, method: to.method, protocol: to.protocol };
    this.volatile = volatile;
    this.end = end;
    this.keepAlive = keepAlive;
    this.text = text;
    this.framing = framing;
    this.length = length;
  }

  isFor(to: ResponseTo, volatile: FieldList, end: boolean, keepAlive: boolean): boolean {
    return (
      volatile === this.volatile &&
      end === this.end &&
      keepAlive === this.keepAlive &&
      to.version === this.to.version &&
      to.method === this.to.method &&
      to.protocol === this.to.protocol
    );
  }
}

/**
 * Begins a response. False when the head can't be written, or announces a body that does not come; nothing was written then.
 * No body: after HEAD, with 204 and 304. Else a Content-Length as it is; chunked; for an HTTP/1.0 client the end of the connection.
 * `keepAlive` false: the connection closes after this response, and the head says so.
 */
export const beginResponse = (
  writer: MessageWriter,
  to: ResponseTo,
  head: ResponseHead,
  volatile: FieldList,
  end: boolean,
  keepAlive: boolean,
): boolean => {
  const { status, http1Written } = head;
  if (http1Written instanceof WrittenResponse && http1Written.isFor(to, volatile, end, keepAlive)) {
    writer.begin(http1Written.text, http1Written.framing, http1Written.length);
    return true;
  }
  const announced = announcedLength(volatile);
  if (announced === BAD_FIELDS) return false;
  const template = templateOf(head.fields);
  if (status === 101) {
    const last = `connection: Upgrade\r\nupgrade: ${to.protocol}\r\n`;
    writer.begin(template.render(statusLine(status), undefined, volatile, false, false, last), 'close', 0);
    return true;
  }
  const bodiless = status === 204 || status === 304 || to.method === 'HEAD';
  if (end && announced > 0 && !bodiless) return false;
  let framing: Framing = 'none';
  let last = '';
  if (!bodiless) {
    if (announced >= 0) framing = 'length';
    else if (end) last = 'content-length: 0\r\n';
    else framing = to.version === '1.1' ? 'chunked' : 'close';
  }
  if (!keepAlive || framing === 'close') last += 'connection: close\r\n';
  else if (to.version === '1.0') last += 'connection: keep-alive\r\n';
  const text = template.render(statusLine(status), undefined, volatile, status !== 204, framing === 'chunked', last);
  const length = Math.max(0, announced);
  head.http1Written = new WrittenResponse(to, volatile, end, keepAlive, text, framing, length);
  writer.begin(text, framing, length);
  return true;
};

/** A 1xx head as text. */
export const informationalText = (head: ResponseHead): string =>
  templateOf(head.fields).render(statusLine(head.status), undefined, [], false, false, '');
