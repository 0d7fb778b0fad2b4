import { type FieldList, Fields, LinkInfo, NO_FIELDS, RequestHead, ResponseHead, VOLATILE } from '../head.ts';
import { fieldProblem, isAuthority, isFieldValue, isMethod, isPath } from './check-fields.ts';
import type { HpackDecoder } from './hpack/decoder.ts';
import { findVolatileTail } from './hpack/volatile-tail.ts';

/** Entries kept per connection, and the largest that is kept. A full cache is emptied: simple, and rare. */
const MAX_ENTRIES = 500;
const MAX_KEY_BYTES = 4_096;

/**
 * Why a block is no head. `compression`: the connection is lost (RFC 9113 §4.3). The others concern the stream alone.
 */
export interface HeadProblem {
  readonly kind: 'compression' | 'malformed' | 'too_large';
  readonly detail: string;
}

/** How a decoded list becomes a head, for one kind of head. */
type Build<Head> = (
  list: readonly string[],
  volatile: string[],
  intern: (list: string[], shape: string) => Fields,
) => Head | string;

/**
 * Decodes the heads of one connection, the same bytes to the same object. A block is a stable prefix and a volatile tail; the prefix is looked
 * up by its bytes, which mean the same as long as the dynamic table stands still. A miss costs what plain decoding costs.
 * Owned by its connection.
 */
export class HeadReader<Head> {
  head: Head | undefined = undefined;
  volatile: FieldList = NO_FIELDS;
  private readonly decoder: HpackDecoder;
  private readonly build: Build<Head>;
  private readonly byPrefix = new Map<string, Decoded<Head>>();
  private readonly byFields = new Map<string, Fields>();
  private epoch = 0;
  private readonly intern = (list: string[], shape: string): Fields => {
    const key = `${shape}\n${list.join('\n')}`;
    const known = this.byFields.get(key);
    if (known !== undefined) return known;
    const fields = new Fields(list, shape);
    if (key.length > MAX_KEY_BYTES) return fields;
    if (this.byFields.size >= MAX_ENTRIES) this.byFields.clear();
    this.byFields.set(key, fields);
    return fields;
  };

  constructor(decoder: HpackDecoder, build: Build<Head>) {
    this.decoder = decoder;
    this.build = build;
  }

  /** Reads a block; the result is in `head` and `volatile`. */
  read(block: Buffer, start: number, end: number): HeadProblem | undefined {
    if (this.epoch !== this.decoder.epoch) {
      this.byPrefix.clear();
      this.epoch = this.decoder.epoch;
    }
    const split = findVolatileTail(block, start, end);
    if (split < 0 || split - start > MAX_KEY_BYTES) return this.readWhole(block, start, end);
    const key = block.toString('latin1', start, split);
    let known = this.byPrefix.get(key);
    if (known === undefined) {
      const decoded = this.decode(block, start, split);
      if ('kind' in decoded) return decoded;
      if (this.byPrefix.size >= MAX_ENTRIES) this.byPrefix.clear();
      this.byPrefix.set(key, decoded);
      known = decoded;
    }
    this.head = known.head;
    this.volatile = known.volatile;
    if (split === end) return undefined;
    const tail: string[] = [];
    const reason = this.decoder.decode(block, split, end, tail);
    if (reason !== '') return decodingProblem(reason);
    if (known.volatile.length > 0 || !isVolatileTail(tail)) return this.readWhole(block, start, end);
    this.volatile = tail;
    return undefined;
  }

  private readWhole(block: Buffer, start: number, end: number): HeadProblem | undefined {
    const decoded = this.decode(block, start, end);
    if ('kind' in decoded) return decoded;
    this.head = decoded.head;
    this.volatile = decoded.volatile;
    return undefined;
  }

  private decode(block: Buffer, start: number, end: number): Decoded<Head> | HeadProblem {
    const list: string[] = [];
    const reason = this.decoder.decode(block, start, end, list);
    if (reason !== '') return decodingProblem(reason);
    const volatile: string[] = [];
    const head = this.build(list, volatile, this.intern);
    if (typeof head === 'string') return { kind: 'malformed', detail: head };
    return { head, volatile: volatile.length === 0 ? NO_FIELDS : volatile };
  }
}

interface Decoded<Head> {
  readonly head: Head;
  readonly volatile: FieldList;
}

/** What stands behind the prefix must be volatile fields and nothing else; what is not goes through all checks with the rest of the block. */
const isVolatileTail = (tail: FieldList): boolean => {
  let lengths = 0;
  for (let i = 0; i < tail.length; i += 2) {
    const name = tail[i] as string;
    const value = tail[i + 1] as string;
    if (!VOLATILE.has(name) || !isFieldValue(value)) return false;
    if (name === 'content-length' && (++lengths > 1 || !CONTENT_LENGTH.test(value))) return false;
  }
  return true;
};

const decodingProblem = (reason: string): HeadProblem =>
  reason === 'header_list_too_large' ? { kind: 'too_large', detail: reason } : { kind: 'compression', detail: reason };

/** Trailers: fields only. Returns the list, or a problem. */
export const readTrailers = (
  decoder: HpackDecoder,
  block: Buffer,
  start: number,
  end: number,
  trusted: boolean,
): FieldList | HeadProblem => {
  const list: string[] = [];
  const reason = decoder.decode(block, start, end, list);
  if (reason !== '') return decodingProblem(reason);
  const kept: string[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] as string;
    const value = list[i + 1] as string;
    const problem = fieldProblem(name, value);
    if (problem !== '') return { kind: 'malformed', detail: problem };
    if (trusted || !isReserved(name)) kept.push(name, value);
  }
  return kept;
};

/** Names that only the mesh itself may use. */
const isReserved = (name: string): boolean =>
  name.startsWith('outrider-') || name.startsWith('x-outrider-') || name === 'x-forwarded-client-cert';

const nothing = (): boolean => false;
const isLinkRequestField = (name: string): boolean =>
  name === 'outrider-h1' || name === 'outrider-timeout-ms' || name === 'outrider-attempt';
const isLinkResponseField = (name: string): boolean =>
  name === 'outrider-h1' || name === 'x-outrider-flag' || name === 'x-outrider-detail';

const CONTENT_LENGTH = /^[0-9]{1,15}$/;

/** What both kinds of head have in common: pseudo-header fields first, then checked fields, sorted into stable and volatile. */
class FieldSorter {
  readonly stable: string[] = [];
  shape = '';
  cookie = '';
  contentLength = '';
  readonly volatile: string[];
  private readonly allowed: (name: string) => boolean;

  /** `allowed` says which of the reserved names are taken; the others are dropped. */
  constructor(volatile: string[], allowed: (name: string) => boolean) {
    this.volatile = volatile;
    this.allowed = allowed;
  }

  /** '' or what is wrong. */
  add(name: string, value: string): string {
    const problem = fieldProblem(name, value);
    if (problem !== '') return problem;
    if (isReserved(name) && !this.allowed(name)) return '';
    if (name === 'content-length') {
      if (!CONTENT_LENGTH.test(value) || (this.contentLength !== '' && this.contentLength !== value))
        return 'content_length';
      if (this.contentLength !== '') return '';
      this.contentLength = value;
    }
    if (VOLATILE.has(name)) this.volatile.push(name, value);
    else if (name === 'outrider-h1') this.shape = value;
    // RFC 9113 §8.2.3: crumbs are put together again before they go anywhere else.
    else if (name === 'cookie') this.cookie = this.cookie === '' ? value : `${this.cookie}; ${value}`;
    else this.stable.push(name, value);
    return '';
  }

  list(): string[] {
    if (this.cookie !== '') this.stable.push('cookie', this.cookie);
    return this.stable;
  }
}

/** Builds request heads. `trusted`: from another sidecar, whose `outrider-*` fields mean something; from an app they are dropped. */
export const buildRequestHead =
  (trusted: boolean): Build<RequestHead> =>
  (list, volatile, intern) => {
    const pseudo: { [name: string]: string | undefined } = {};
    const sorter = new FieldSorter(volatile, trusted ? isLinkRequestField : nothing);
    const link = { to: '', port: 0, route: '', thrift: '' };
    let host: string | undefined;
    let at = 0;
    for (; at < list.length; at += 2) {
      const name = list[at] as string;
      if (name.charCodeAt(0) !== 58 /* : */) break;
      if (!REQUEST_PSEUDO.has(name) || pseudo[name] !== undefined) return 'pseudo_field';
      pseudo[name] = list[at + 1] as string;
    }
    for (; at < list.length; at += 2) {
      const name = list[at] as string;
      const value = list[at + 1] as string;
      if (name === 'host') {
        if (host !== undefined) return 'host_field';
        host = value;
      } else if (trusted && LINK_FIELDS.has(name)) setLinkField(link, name, value);
      else {
        const problem = sorter.add(name, value);
        if (problem !== '') return problem;
      }
    }
    const authority = pseudo[':authority'] ?? host ?? '';
    if (host !== undefined && host !== authority) return 'host_mismatch';
    const problem = pseudoProblem(pseudo, authority);
    if (problem !== '') return problem;
    const protocol = pseudo[':protocol'] ?? '';
    return new RequestHead(
      protocol === '' ? (pseudo[':method'] as string) : 'GET',
      pseudo[':scheme'] ?? 'http',
      authority,
      pseudo[':path'] ?? '',
      intern(sorter.list(), sorter.shape),
      protocol,
      trusted ? new LinkInfo(link.to, link.port, link.route, link.thrift) : undefined,
    );
  };

const REQUEST_PSEUDO = new Set([':method', ':scheme', ':authority', ':path', ':protocol']);
const LINK_FIELDS = new Set(['outrider-to', 'outrider-port', 'outrider-route', 'outrider-thrift']);
const PORT = /^[0-9]{1,5}$/;

const setLinkField = (
  link: { to: string; port: number; route: string; thrift: string },
  name: string,
  value: string,
): void => {
  if (name === 'outrider-to') link.to = value;
  else if (name === 'outrider-port') link.port = PORT.test(value) ? Number(value) : -1;
  else if (name === 'outrider-route') link.route = value;
  else link.thrift = value;
};

/** The rules for pseudo-header fields: RFC 9113 §8.3.1 and §8.5, RFC 8441 §4. */
const pseudoProblem = (pseudo: { readonly [name: string]: string | undefined }, authority: string): string => {
  const method = pseudo[':method'];
  if (method === undefined || !isMethod(method)) return 'method';
  if (!isAuthority(authority)) return 'authority';
  const protocol = pseudo[':protocol'];
  if (method === 'CONNECT' && protocol === undefined) {
    return pseudo[':scheme'] !== undefined || pseudo[':path'] !== undefined || authority === '' ? 'connect_pseudo' : '';
  }
  if (protocol !== undefined && (method !== 'CONNECT' || !isMethod(protocol))) return 'protocol_pseudo';
  if (pseudo[':scheme'] !== 'http' && pseudo[':scheme'] !== 'https') return 'scheme';
  const path = pseudo[':path'];
  if (path === undefined || !isPath(path) || (path === '*' && method !== 'OPTIONS')) return 'path';
  return '';
};

/** Builds response heads. `trusted`: from another sidecar. */
export const buildResponseHead =
  (trusted: boolean): Build<ResponseHead> =>
  (list, volatile, intern) => {
    if (list[0] !== ':status' || !/^[1-9][0-9]{2}$/.test(list[1] as string)) return 'status';
    const sorter = new FieldSorter(volatile, trusted ? isLinkResponseField : nothing);
    let flag = '';
    let notProcessed = false;
    for (let at = 2; at < list.length; at += 2) {
      const name = list[at] as string;
      const value = list[at + 1] as string;
      if (trusted && name === 'outrider-processed') {
        notProcessed = value === 'no';
        continue;
      }
      if (trusted && name === 'x-outrider-flag') flag = value;
      const problem = sorter.add(name, value);
      if (problem !== '') return problem;
    }
    const mesh = flag === '' ? undefined : { flag, notProcessed };
    return new ResponseHead(Number(list[1]), intern(sorter.list(), sorter.shape), mesh);
  };
