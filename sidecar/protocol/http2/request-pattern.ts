import { RequestHead, VOLATILE } from '../head.ts';
import { isReserved } from '../reserved-fields.ts';
import { isFieldValue, isPath } from './check-fields.ts';
import { KeptHeads } from './kept-heads.ts';
import { type Allowed, isContentLength } from './sort-fields.ts';

/** Heads kept by path, and the longest path that is kept. */
const MAX_PATHS = 256;
const MAX_PATH_CHARACTERS = 256;

/** What may differ at a place of the list. */
const SAME = 0;
const PATH = 1;
const VOLATILE_VALUE = 2;
const CONTENT_LENGTH = 3;
/** A reserved name from an app. */
const DROPPED = 4;

/**
 * A decoded list and the head that it became, to recognise lists that differ from it only in the path and the values of volatile fields:
 * what was checked and derived holds for them too. Clients that give each request a new `traceparent` or path send little else.
 */
export class RequestPattern {
  private readonly list: readonly string[];
  /** By position in the list, halved. */
  private readonly kinds: Uint8Array;
  private readonly head: RequestHead;
  private readonly byPath = new KeptHeads<RequestHead>(MAX_PATHS);
  /** The list can't stand for others: nothing matches. */
  private readonly unfit: boolean;

  constructor(list: readonly string[], head: RequestHead, allowed: Allowed) {
    this.list = list;
    this.head = head;
    this.kinds = Uint8Array.from({ length: list.length / 2 }, (_, i) => kindOf(list[2 * i] as string, allowed));
    // Several of one kind are compared with each other, and the asterisk is a path for OPTIONS only.
    this.unfit = this.kinds.filter(kind => kind === CONTENT_LENGTH).length > 1 || head.path === '*';
  }

  /** The head for `list`, its volatile fields added to `volatile`; undefined, with `volatile` untouched: it has to be derived. */
  match(list: readonly string[], volatile: string[]): RequestHead | undefined {
    const { kinds, list: known } = this;
    if (list.length !== known.length || this.unfit) return undefined;
    let path = this.head.path;
    for (let i = 0, at = 0; i < kinds.length; i++, at += 2) {
      if (list[at] !== known[at]) return undefined;
      const value = list[at + 1] as string;
      switch (kinds[i] as number) {
        case SAME:
          if (value !== known[at + 1]) return undefined;
          break;
        case PATH:
          path = value;
          break;
        case CONTENT_LENGTH:
          if (!isContentLength(value)) return undefined;
          break;
        default:
          if (!isFieldValue(value)) return undefined;
      }
    }
    const head = path === this.head.path ? this.head : this.headFor(path);
    if (head === undefined) return undefined;
    for (let i = 0; i < kinds.length; i++) {
      if (kinds[i] === VOLATILE_VALUE || kinds[i] === CONTENT_LENGTH)
        volatile.push(list[2 * i] as string, list[2 * i + 1] as string);
    }
    return head;
  }

  private headFor(path: string): RequestHead | undefined {
    const known = this.byPath.get(path);
    if (known !== undefined) return known;
    if (!isPath(path) || path === '*') return undefined;
    const { method, scheme, authority, fields, protocol, link } = this.head;
    const head = new RequestHead(method, scheme, authority, path, fields, protocol, link);
    if (path.length <= MAX_PATH_CHARACTERS) this.byPath.add(path, head);
    return head;
  }
}

const kindOf = (name: string, allowed: Allowed): number => {
  if (name === ':path') return PATH;
  if (isReserved(name) && !allowed(name)) return DROPPED;
  if (!VOLATILE.has(name)) return SAME;
  return name === 'content-length' ? CONTENT_LENGTH : VOLATILE_VALUE;
};
