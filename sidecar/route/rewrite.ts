import type { FilterView, NameValue, PathModifier } from '../../api/snapshot.ts';
import { isUntouchable } from '../../api/untouchable-headers.ts';
import { type FieldList, Fields, RequestHead, ResponseHead, VOLATILE } from '../protocol/head.ts';
import { pathOf } from './match-route.ts';
import { wirePath, wireText } from './wire-text.ts';

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
  const value = wirePath(modifier.value);
  if (modifier.type === 'ReplaceFullPath') return value.startsWith('/') ? value : `/${value}`;
  const matched = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
  const rest = pathOf(head).slice(matched.length);
  const path = (value.endsWith('/') ? value.slice(0, -1) : value) + rest;
  return path.startsWith('/') ? path : `/${path}`;
};

/** `Host` is not among the fields: setting it sets the authority. */
const hostOf = (filter: HeaderModifier): string | undefined =>
  filter.set.find(({ name }) => name.toLowerCase() === 'host')?.value;

/**
 * The change that the filters of this type make to the fields that are new with every message (`date`, `traceparent`, …); undefined when they
 * make none. Made once for a plan.
 */
export const rewriteVolatile = (
  filters: readonly FilterView[],
  type: HeaderModifier['type'],
): ((volatile: FieldList) => FieldList) | undefined => {
  const edits: Edit[] = [];
  for (const filter of filters) {
    if (filter.type !== type) continue;
    const edit = editOf(filter, name => VOLATILE.has(name));
    if (!isEmpty(edit)) edits.push(edit);
  }
  if (edits.length === 0) return undefined;
  return volatile => edits.reduce<FieldList>((list, edit) => apply(list, edit), volatile);
};

const modify = (fields: Fields, filter: HeaderModifier): Fields => {
  const edit = editOf(filter, name => !VOLATILE.has(name));
  return isEmpty(edit) ? fields : new Fields(apply(fields.list, edit), fields.http1Shape);
};

/** A modifier's changes, names lower-case. */
interface Edit {
  readonly set: readonly NameValue[];
  readonly add: readonly NameValue[];
  readonly remove: ReadonlySet<string>;
}

const editOf = (filter: HeaderModifier, concerns: (name: string) => boolean): Edit => {
  const takes = (name: string): boolean => concerns(name) && !isUntouchable(name);
  const taken = (list: readonly NameValue[]): readonly NameValue[] =>
    list
      .map(({ name, value }) => ({ name: name.toLowerCase(), value: wireText(value) }))
      .filter(({ name }) => takes(name));
  return {
    set: taken(filter.set),
    add: taken(filter.add),
    remove: new Set(filter.remove.map(name => name.toLowerCase()).filter(takes)),
  };
};

const isEmpty = ({ set, add, remove }: Edit): boolean => set.length === 0 && add.length === 0 && remove.size === 0;

const apply = (list: FieldList, { set, add, remove }: Edit): FieldList => {
  const values = new Map(set.map(({ name, value }) => [name, value]));
  const result: string[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] as string;
    if (!remove.has(name) && !values.has(name)) result.push(name, list[i + 1] as string);
  }
  for (const [name, value] of values) result.push(name, value);
  for (const { name, value } of add) {
    const at = result.findIndex((entry, index) => index % 2 === 0 && entry === name);
    // An added value joins the one that is there (RFC 9110 §5.3); Set-Cookie alone can't be joined (RFC 6265 §3).
    if (at < 0 || name === 'set-cookie') result.push(name, value);
    else result[at + 1] = `${result[at + 1]},${value}`;
  }
  return result;
};
