import { LinkInfo, RequestHead } from '../head.ts';
import { isAuthority, isMethod, isPath } from './check-fields.ts';
import type { HeadBuilder } from './decode-head.ts';
import { FieldIntern } from './field-intern.ts';
import { RequestPattern } from './request-pattern.ts';
import { type Allowed, allowedInRequest, FieldSorter } from './sort-fields.ts';

/** A power of two. */
const PATTERNS = 64;

/** The pseudo-header fields of a request. */
export interface RequestLine {
  method: string | undefined;
  scheme: string | undefined;
  authority: string | undefined;
  path: string | undefined;
  protocol: string | undefined;
}

/**
 * Builds request heads from decoded lists. `trusted`: from another sidecar, whose `outrider-*` fields mean something; from an app they are dropped.
 * A list that differs from one before only in its path and its volatile fields is not derived again. Owned by its connection.
 */
export class RequestBuilder implements HeadBuilder<RequestHead> {
  readonly allowed;
  readonly tailsRepeat = false;
  /** Reserved names whose value makes a difference. */
  private readonly counts: Allowed;
  private readonly trusted: boolean;
  private readonly shape: string;
  private readonly fields = new FieldIntern();
  private readonly patterns: (RequestPattern | undefined)[] = Array.from({ length: PATTERNS }, () => undefined);

  /** `shape`: of the heads that say none. */
  constructor(trusted: boolean, shape = '') {
    this.trusted = trusted;
    this.shape = shape;
    this.allowed = allowedInRequest(trusted);
    this.counts = name => this.allowed(name) || (trusted && LINK_FIELDS.has(name));
  }

  build(list: readonly string[], volatile: string[]): RequestHead | string {
    let names = 0;
    for (let at = 0; at < list.length; at += 2) names += (list[at] as string).length;
    const slot = names & (PATTERNS - 1);
    const head = this.patterns[slot]?.match(list, volatile);
    if (head !== undefined) return head;
    const made = this.derive(list, volatile);
    if (typeof made !== 'string' && made.path !== '') this.patterns[slot] = new RequestPattern(list, made, this.counts);
    return made;
  }

  private derive(list: readonly string[], volatile: string[]): RequestHead | string {
    const line: RequestLine = {
      method: undefined,
      scheme: undefined,
      authority: undefined,
      path: undefined,
      protocol: undefined,
    };
    let at = 0;
    for (; at < list.length; at += 2) {
      const name = list[at] as string;
      if (name.charCodeAt(0) !== 58 /* : */) break;
      if (!setPseudoField(line, name, list[at + 1] as string)) return 'pseudo_field';
    }
    const sorter = new FieldSorter(volatile, this.allowed);
    const link = { to: '', port: 0, route: '', thrift: '' };
    let host: string | undefined;
    for (; at < list.length; at += 2) {
      const name = list[at] as string;
      const value = list[at + 1] as string;
      if (name === 'host') {
        if (host !== undefined) return 'host_field';
        host = value;
      } else if (this.trusted && LINK_FIELDS.has(name)) setLinkField(link, name, value);
      else {
        const problem = sorter.add(name, value);
        if (problem !== '') return problem;
      }
    }
    const authority = line.authority ?? host ?? '';
    if (host !== undefined && host !== authority) return 'host_mismatch';
    const problem = lineProblem(line, authority);
    if (problem !== '') return problem;
    const protocol = line.protocol ?? '';
    return new RequestHead(
      protocol === '' ? (line.method as string) : 'GET',
      line.scheme ?? 'http',
      authority,
      line.path ?? '',
      this.fields.get(sorter.list(), sorter.shape || this.shape),
      protocol,
      this.trusted ? new LinkInfo(link.to, link.port, link.route, link.thrift) : undefined,
    );
  }
}

/** False: unknown, or given twice. */
const setPseudoField = (line: RequestLine, name: string, value: string): boolean => {
  switch (name) {
    case ':method':
      if (line.method !== undefined) return false;
      line.method = value;
      return true;
    case ':scheme':
      if (line.scheme !== undefined) return false;
      line.scheme = value;
      return true;
    case ':authority':
      if (line.authority !== undefined) return false;
      line.authority = value;
      return true;
    case ':path':
      if (line.path !== undefined) return false;
      line.path = value;
      return true;
    case ':protocol':
      if (line.protocol !== undefined) return false;
      line.protocol = value;
      return true;
    default:
      return false;
  }
};

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
const lineProblem = ({ method, scheme, path, protocol }: RequestLine, authority: string): string => {
  if (method === undefined || !isMethod(method)) return 'method';
  if (!isAuthority(authority)) return 'authority';
  if (method === 'CONNECT' && protocol === undefined)
    return scheme !== undefined || path !== undefined || authority === '' ? 'connect_pseudo' : '';
  // An app that changed to HTTP/2 inside the tunnel would take requests that nobody has looked at.
  const tunnelsHttp = protocol?.toLowerCase() === 'h2c';
  if (protocol !== undefined && (method !== 'CONNECT' || !isMethod(protocol) || tunnelsHttp)) return 'protocol_pseudo';
  if (scheme !== 'http' && scheme !== 'https') return 'scheme';
  if (path === undefined || !isPath(path) || (path === '*' && method !== 'OPTIONS')) return 'path';
  return '';
};
