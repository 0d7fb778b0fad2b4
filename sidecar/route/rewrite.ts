import type { FilterView, NameValue, PathModifier } from '../../api/snapshot.ts';
import { type FieldList, Fields, RequestHead, ResponseHead } from '../protocol/head.ts';
import { pathOf } from './match-route.ts';

/** The filters of the Gateway API, applied to heads. Heads are immutable: the result is a new one, which the plan keeps. */

export interface Redirect {
  readonly status: number;
  readonly location: string;
}

type HeaderModifier = Extract<FilterView, { readonly type: 'RequestHeaderModifier' | 'ResponseHeaderModifier' }>;
type RequestRedirect = Extract<FilterView, { readonly type: 'RequestRedirect' }>;

/** The head as it goes to the backend; the same object when no filter changes it. `prefix`: what the path was matched by. */
export const rewriteRequest = (head: RequestHead, filters: readonly FilterView[], prefix: string): RequestHead => {
  let { authority, path, fields } = head;
  for (const filter of filters) {
    if (filter.type === 'RequestHeaderModifier') {
      authority = hostOf(filter) ?? authority;
      fields = modify(fields, filter);
    } else if (filter.type === 'URLRewrite') {
      authority = filter.hostname ?? authority;
      if (filter.path !== undefined) path = replacePath(head, filter.path, prefix) + queryOf(head);
    }
  }
  if (authority === head.authority && path === head.path && fields === head.fields) return head;
  return new RequestHead(head.method, head.scheme, authority, path, fields, head.protocol, head.link);
};

/** The answer's head as the caller gets it; the same object when no filter changes it. */
export const rewriteResponse = (head: ResponseHead, filters: readonly FilterView[]): ResponseHead => {
  let { fields } = head;
  for (const filter of filters) if (filter.type === 'ResponseHeaderModifier') fields = modify(fields, filter);
  return fields === head.fields ? head : new ResponseHead(head.status, fields, head.mesh);
};

/** Where a RequestRedirect among the filters sends the caller, or undefined (Gateway API: HTTPRequestRedirectFilter). */
export const redirectOf = (head: RequestHead, filters: readonly FilterView[], prefix: string): Redirect | undefined => {
  const filter = filters.find(candidate => candidate.type === 'RequestRedirect');
  if (filter === undefined) return undefined;
  const [, host = '', port] = /^(\[[^\]]*\]|[^:]*)(?::([0-9]+))?$/.exec(head.authority) ?? [];
  const scheme = filter.scheme ?? head.scheme;
  const path = filter.path === undefined ? pathOf(head) : replacePath(head, filter.path, prefix);
  const authority = (filter.hostname ?? host) + portSuffix(filter, scheme, port);
  return { status: filter.statusCode, location: `${scheme}://${authority}${path}${queryOf(head)}` };
};

/** The filter's port; else the well-known one of a scheme that it sets; else the request's. A default port is not written. */
const portSuffix = (filter: RequestRedirect, scheme: string, present: string | undefined): string => {
  const wellKnown = scheme === 'https' ? 443 : 80;
  const port = filter.port ?? (filter.scheme !== undefined ? wellKnown : Number(present ?? wellKnown));
  return port === wellKnown ? '' : `:${port}`;
};

const queryOf = (head: RequestHead): string => {
  const at = head.path.indexOf('?');
  return at < 0 ? '' : head.path.slice(at);
};

const replacePath = (head: RequestHead, modifier: PathModifier, prefix: string): string => {
  if (modifier.type === 'ReplaceFullPath') return modifier.value;
  const matched = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
  const rest = pathOf(head).slice(matched.length);
  const replacement = modifier.value.endsWith('/') ? modifier.value.slice(0, -1) : modifier.value;
  const path = replacement + (rest === '' || rest.startsWith('/') ? rest : `/${rest}`);
  return path === '' ? '/' : path;
};

/** `Host` is not among the fields: setting it sets the authority. */
const hostOf = (filter: HeaderModifier): string | undefined =>
  filter.set.find(({ name }) => name.toLowerCase() === 'host')?.value;

const modify = (fields: Fields, filter: HeaderModifier): Fields => {
  const removed = new Set(filter.remove.map(name => name.toLowerCase()));
  const set = new Map(filter.set.map(({ name, value }) => [name.toLowerCase(), value]));
  set.delete('host');
  const list: string[] = [];
  for (let i = 0; i < fields.list.length; i += 2) {
    const name = fields.list[i] as string;
    if (!removed.has(name) && !set.has(name)) list.push(name, fields.list[i + 1] as string);
  }
  for (const [name, value] of set) list.push(name, value);
  return new Fields(append(list, filter.add), fields.http1Shape);
};

/** An added value joins the one that is there (RFC 9110 §5.3). */
const append = (list: readonly string[], add: readonly NameValue[]): FieldList => {
  const result = [...list];
  for (const { name, value } of add) {
    const lower = name.toLowerCase();
    const at = result.findIndex((entry, index) => index % 2 === 0 && entry === lower);
    if (at < 0) result.push(lower, value);
    else result[at + 1] = `${result[at + 1]},${value}`;
  }
  return result;
};
