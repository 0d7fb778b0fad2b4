import { compilePattern } from '../../api/pattern.ts';
import type { MatchView, PathNormalization, ValueMatchView } from '../../api/snapshot.ts';
import { type FieldList, NO_FIELDS, type RequestHead, VOLATILE } from '../protocol/head.ts';
import { normalPath } from './normal-path.ts';
import type { Rule, ServicePort } from './route-table.ts';
import { wireText } from './wire-text.ts';

type PathType = NonNullable<MatchView['path']>['type'];
type Part = (head: RequestHead, volatile: FieldList) => boolean;

/** One match of a rule, compiled. Both lists must hold entirely. */
export interface Match {
  /** What depends on the head alone. */
  readonly stable: readonly Part[];
  /** What looks at fields that change with every request. */
  readonly volatile: readonly Part[];
  /** The prefix that matched, for ReplacePrefixMatch; '' when the path was matched otherwise. */
  readonly prefix: string;
}

export interface Matched {
  readonly rule: Rule;
  readonly prefix: string;
  /** The verdict holds for every request with this head, and can be kept with it: no volatile field was looked at on the way. */
  readonly stable: boolean;
}

/** The first rule that matches (the control plane has sorted them by precedence); undefined: none does. */
export const matchRule = (rules: readonly Rule[], head: RequestHead, volatile: FieldList): Matched | undefined => {
  let stable = true;
  for (const rule of rules) {
    if (rule.matches.length === 0) return { rule, prefix: '', stable };
    for (const match of rule.matches) {
      if (!match.stable.every(part => part(head, volatile))) continue;
      if (match.volatile.length > 0) stable = false;
      if (match.volatile.every(part => part(head, volatile))) return { rule, prefix: match.prefix, stable };
    }
  }
  return undefined;
};

/** The rule that a Thrift call with this head matches says that it gets no reply. */
export const isOneway = (port: ServicePort | undefined, head: RequestHead): boolean =>
  port?.hasOneway === true && matchRule(port.rules, head, NO_FIELDS)?.rule.view.oneway === true;

/** Compiles a match of the Gateway API: HTTPRouteMatch; GRPCRoute's and Thrift's methods come as paths, those of Hessian from the body. Paths are matched in their normal form. */
export const compileMatch = (view: MatchView, normalization: PathNormalization): Match => {
  const stable: Part[] = [];
  const volatile: Part[] = [];
  const { path, method, rpcMethod, headers = [], query = [] } = view;
  const value = path === undefined ? '' : normalValue(path.value, path.type, normalization);
  if (path !== undefined) {
    const matches = pathMatcher(path.type, value);
    stable.push(head => matches(pathOf(head)));
  }
  if (method !== undefined) stable.push(head => head.method === method);
  if (rpcMethod !== undefined) {
    const matches = valueMatcher(rpcMethod, text => text);
    stable.push(head => matches(head.rpcMethod));
  }
  for (const header of headers) {
    const name = header.name.toLowerCase();
    const matches = valueMatcher(header, wireText);
    if (VOLATILE.has(name)) volatile.push((_, list) => matches(joinedValue(list, name)));
    else if (name === 'host') stable.push(head => matches(head.authority));
    else stable.push(head => matches(joinedValue(head.fields.list, name)));
  }
  for (const parameter of query) {
    const matches = valueMatcher(parameter, value => value);
    stable.push(head => matches(queryValue(head, parameter.name)));
  }
  return { stable, volatile, prefix: path?.type === 'PathPrefix' ? value : '' };
};

/** As requests are spelled. A regular expression is for the normal form as it is; what has no normal form matches nothing. */
const normalValue = (value: string, type: PathType, normalization: PathNormalization): string => {
  const normal = type === 'RegularExpression' ? value : normalPath(wireText(value), normalization);
  return typeof normal === 'string' ? normal : value;
};

/** Whole segments: `/v2` matches `/v2` and `/v2/x`, not `/v2example`. */
const pathMatcher = (type: PathType, value: string): ((path: string) => boolean) => {
  if (type === 'Exact') return path => path === value;
  if (type === 'RegularExpression') return regexMatcher(value);
  const prefix = value.endsWith('/') ? value.slice(0, -1) : value;
  return path => path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 47);
};

/** `form`: a text of the configuration in the form that it has in a request. */
const valueMatcher = (
  view: Pick<ValueMatchView, 'type' | 'value'>,
  form: (text: string) => string,
): ((value: string | undefined) => boolean) => {
  if (view.type === 'RegularExpression') {
    const matches = regexMatcher(view.value);
    return value => value !== undefined && matches(value);
  }
  const expected = form(view.value);
  return value => value === expected;
};

/** Of the whole text. Validation has compiled the pattern before; one that does not compile here matches nothing. */
const regexMatcher = (source: string): ((text: string) => boolean) => {
  const pattern = compilePattern(source);
  return typeof pattern === 'string' ? () => false : text => pattern.matches(text);
};

/** The path without its query. */
export const pathOf = (head: RequestHead): string => {
  const at = head.path.indexOf('?');
  return at < 0 ? head.path : head.path.slice(0, at);
};

/** Several fields of one name count as one, joined by commas (RFC 9110 §5.3). */
const joinedValue = (list: FieldList, name: string): string | undefined => {
  let value: string | undefined;
  for (let i = 0; i < list.length; i += 2)
    if (list[i] === name) value = value === undefined ? list[i + 1] : `${value},${list[i + 1]}`;
  return value;
};

/** The first value of a query parameter, as the Gateway API says. */
const queryValue = (head: RequestHead, name: string): string | undefined => {
  const at = head.path.indexOf('?');
  return at < 0 ? undefined : (new URLSearchParams(head.path.slice(at + 1)).get(name) ?? undefined);
};
