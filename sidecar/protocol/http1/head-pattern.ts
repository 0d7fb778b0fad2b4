import { type FieldList, NO_FIELDS } from '../head.ts';
import { isFieldValueIn } from './syntax.ts';

const CRLF = '\r\n';
/** A pattern with a longer text is not kept. */
const MAX_PATTERN_BYTES = 4_096;
const MAX_PATTERNS = 512;
const RECENT = 8;

/**
 * What is the same in many heads: their text with holes where the volatile values are.
 * A head whose text fits was checked when the pattern was made; only its volatile values are new.
 */
export class HeadPattern {
  /** The constant text: one piece more than there are volatile fields. */
  readonly pieces: readonly string[];
  /** The names of the volatile fields, each with '' for its value. */
  private readonly blank: FieldList;
  /** It was seen more than once, so that it is worth while to keep what is derived from it. */
  known = false;
  /** Where the value of Content-Length is in the volatile list; -1: there is none. */
  readonly lengthAt: number;
  private readonly constantLength: number;

  constructor(pieces: readonly string[], volatile: FieldList) {
    this.pieces = pieces;
    this.constantLength = pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.blank = volatile.map((text, i) => (i % 2 === 0 ? text : ''));
    this.lengthAt = volatile.indexOf('content-length') + 1 || -1;
  }

  /** The volatile fields, when `text` from `at` fits; undefined when it does not. */
  match(text: string, at: number): FieldList | undefined {
    const { pieces, blank } = this;
    const first = pieces[0]!;
    let position = at + first.length;
    // A slice is compared faster than `startsWith` does it.
    if (text.slice(at, position) !== first) return undefined;
    if (pieces.length === 1) return NO_FIELDS;
    const volatile = blank.slice();
    for (let i = 1; i < pieces.length; i++) {
      const piece = pieces[i]!;
      const end = text.indexOf(CRLF, position);
      if (end === -1 || !isPlainValue(text, position, end)) return undefined;
      volatile[2 * i - 1] = text.slice(position, end);
      position = end + piece.length;
      if (text.slice(end, position) !== piece) return undefined;
    }
    return volatile;
  }

  /** How long the text is that fitted with these volatile values. */
  textLength(volatile: FieldList): number {
    let length = this.constantLength;
    for (let i = 1; i < volatile.length; i += 2) length += volatile[i]!.length;
    return length;
  }
}

/** Whether `text[start…end]` is a field value without white space around it. */
const isPlainValue = (text: string, start: number, end: number): boolean => {
  if (start === end) return true;
  if (text.charCodeAt(start) <= 32 || text.charCodeAt(end - 1) <= 32) return false;
  return isFieldValueIn(text, start, end);
};

/**
 * Patterns of heads. A few are tried one after the other, the others are found by their text once it was taken apart.
 * A pattern that was seen only once never stands in the way of the few. Cleared when full.
 */
export class PatternCache<P extends HeadPattern> {
  /** The volatile fields that the last `find` met. */
  volatile: FieldList = NO_FIELDS;
  private readonly recent: P[] = [];
  private readonly byKey = new Map<string, P>();

  /** The pattern that `text` fits from `at` on. */
  find(text: string, at: number): P | undefined {
    const { recent } = this;
    for (let i = 0; i < recent.length; i++) {
      const pattern = recent[i]!;
      const volatile = pattern.match(text, at);
      if (volatile === undefined) continue;
      this.volatile = volatile;
      if (i > 0) {
        recent[i] = recent[i - 1]!;
        recent[i - 1] = pattern;
      }
      return pattern;
    }
    return undefined;
  }

  /** The one kept pattern with these pieces, `make()` if there is none. */
  intern(pieces: readonly string[], make: () => P): P {
    const key = pieces.join('\0');
    if (key.length > MAX_PATTERN_BYTES) return make();
    const known = this.byKey.get(key);
    if (known === undefined) {
      const pattern = make();
      if (this.byKey.size >= MAX_PATTERNS) this.byKey.clear();
      this.byKey.set(key, pattern);
      return pattern;
    }
    const { recent } = this;
    known.known = true;
    if (!recent.includes(known)) {
      if (recent.length === RECENT) recent.pop();
      recent.push(known);
    }
    return known;
  }

  /** Every pattern that is kept; some may come twice. */
  *all(): Iterable<P> {
    yield* this.recent;
    yield* this.byKey.values();
  }
}
