/** What the regular expressions of routes may say: RE2's syntax as far as it can be matched in linear time. A text becomes a tree. */

/** Characters are octets, since paths and fields are latin1; everything above counts as this one. */
export const OTHER = 256;

export type PatternNode =
  | { readonly kind: 'set'; readonly set: Uint8Array }
  | { readonly kind: 'sequence' | 'choice'; readonly items: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly item: PatternNode; readonly min: number; readonly max: number }
  | { readonly kind: 'assert'; readonly what: Assertion };

export type Assertion = 'start' | 'end' | 'boundary' | 'noBoundary';

/** Thrown by the parser alone, and caught where a pattern is compiled. */
export class PatternProblem {
  /** Ends the sentence "must be a regular expression: …". */
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

const MAX_DEPTH = 50;
const MAX_REPEAT = 1_000;

const setOf = (holds: (code: number) => boolean): Uint8Array =>
  Uint8Array.from({ length: OTHER + 1 }, (_, code) => (holds(code) ? 1 : 0));
const octet = (code: number): Uint8Array => setOf(other => other === code);
const invert = (set: Uint8Array): Uint8Array => set.map(has => 1 - has);
const between = (first: string, last: string) => (code: number) =>
  code >= first.charCodeAt(0) && code <= last.charCodeAt(0);
const isDigit = between('0', '9');
const isLower = between('a', 'z');
const isUpper = between('A', 'Z');

/** RE2 and JavaScript: letters, digits and `_`. */
export const isWord = (code: number): boolean => isDigit(code) || isLower(code) || isUpper(code) || code === 95;

const CLASSES: Readonly<Record<string, Uint8Array>> = {
  d: setOf(isDigit),
  w: setOf(isWord),
  s: setOf(code => '\t\n\f\r '.includes(String.fromCharCode(code))),
};
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };
const ANY = setOf(code => code !== 10 && code !== 13);

/** Reads a pattern from left to right, one method for each level of the grammar. */
export class PatternParser {
  private readonly text: string;
  private at = 0;
  private depth = 0;
  private readonly ignoreCase: boolean;

  constructor(text: string) {
    this.ignoreCase = text.startsWith('(?i)');
    this.text = this.ignoreCase ? text.slice(4) : text;
  }

  parse(): PatternNode {
    const node = this.choice();
    if (this.at < this.text.length) throw new PatternProblem('unmatched ")"');
    return node;
  }

  private choice(): PatternNode {
    const items = [this.sequence()];
    while (this.take('|')) items.push(this.sequence());
    return items.length === 1 ? items[0]! : { kind: 'choice', items };
  }

  private sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (this.at < this.text.length && this.peek() !== '|' && this.peek() !== ')') items.push(this.repeated());
    return { kind: 'sequence', items };
  }

  private repeated(): PatternNode {
    let item = this.atom();
    for (let range = this.quantifier(); range !== undefined; range = this.quantifier()) {
      if (item.kind === 'assert' || item.kind === 'repeat') throw new PatternProblem('nothing to repeat');
      item = { kind: 'repeat', item, ...range };
      // Lazy or not, what matches as a whole is the same.
      this.take('?');
    }
    return item;
  }

  private quantifier(): { readonly min: number; readonly max: number } | undefined {
    if (this.take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.take('?')) return { min: 0, max: 1 };
    const [whole, low, comma, high] =
      /^\{([0-9]{1,9})(,?)([0-9]{0,9})\}/.exec(this.text.slice(this.at, this.at + 24)) ?? [];
    if (whole === undefined) return undefined;
    this.at += whole.length;
    const min = Number(low);
    const unbounded = high === '' ? Number.POSITIVE_INFINITY : Number(high);
    const max = comma === '' ? min : unbounded;
    if (max < min) throw new PatternProblem('numbers out of order in {}');
    if (min > MAX_REPEAT || (max > MAX_REPEAT && max !== Number.POSITIVE_INFINITY))
      throw new PatternProblem(`more than ${MAX_REPEAT} repetitions`);
    return { min, max };
  }

  private atom(): PatternNode {
    const character = this.text[this.at++] as string;
    switch (character) {
      case '(':
        return this.group();
      case '[':
        return this.set(this.bracket());
      case '.':
        return { kind: 'set', set: ANY };
      case '^':
        return { kind: 'assert', what: 'start' };
      case '$':
        return { kind: 'assert', what: 'end' };
      case '\\':
        if (this.take('b')) return { kind: 'assert', what: 'boundary' };
        if (this.take('B')) return { kind: 'assert', what: 'noBoundary' };
        return this.set(this.escape());
      case '*':
      case '+':
      case '?':
        throw new PatternProblem('nothing to repeat');
      default:
        return this.set(this.single(character));
    }
  }

  private group(): PatternNode {
    if (++this.depth > MAX_DEPTH) throw new PatternProblem(`more than ${MAX_DEPTH} groups in each other`);
    const [opening] = /^(?:\?:|\?P?<[A-Za-z_][A-Za-z0-9_]*>)?/.exec(this.text.slice(this.at, this.at + 64)) ?? [''];
    this.at += opening.length;
    if (this.peek() === '?')
      throw new PatternProblem('lookaround and inline flags are not supported, save (?i) at the start');
    const node = this.choice();
    if (!this.take(')')) throw new PatternProblem('unterminated group');
    this.depth--;
    return node;
  }

  private bracket(): Uint8Array {
    const negated = this.take('^');
    const set = new Uint8Array(OTHER + 1);
    // A bracket that comes first is one of the characters.
    for (let first = true; first || this.peek() !== ']'; first = false) {
      if (this.at >= this.text.length) throw new PatternProblem('unterminated character class');
      const from = this.member();
      if (this.peek() === '-' && this.text[this.at + 1] !== ']') {
        this.at++;
        const low = from.indexOf(1);
        const member = this.member();
        const high = member.indexOf(1);
        if (count(from) !== 1 || count(member) !== 1 || high < low)
          throw new PatternProblem('range out of order in character class');
        set.fill(1, low, high + 1);
      } else for (const [code, has] of from.entries()) if (has === 1) set[code] = 1;
    }
    this.at++;
    return negated ? invert(this.bothCases(set)) : set;
  }

  private member(): Uint8Array {
    const character = this.text[this.at++];
    if (character === undefined) throw new PatternProblem('unterminated character class');
    if (character === '[' && this.peek() === ':') throw new PatternProblem('[:classes:] are not supported');
    return character === '\\' ? this.escape() : this.single(character);
  }

  private escape(): Uint8Array {
    const character = this.text[this.at++];
    if (character === undefined) throw new PatternProblem('\\ at the end');
    const known = CLASSES[character.toLowerCase()];
    if (known !== undefined) return character === character.toLowerCase() ? known : invert(known);
    const control = CONTROLS[character];
    if (control !== undefined) return octet(control);
    if (character === 'x') {
      const [digits] = /^[0-9A-Fa-f]{2}/.exec(this.text.slice(this.at, this.at + 2)) ?? [];
      if (digits === undefined) throw new PatternProblem('\\x needs two hexadecimal digits');
      this.at += 2;
      return octet(Number.parseInt(digits, 16));
    }
    if (isWord(character.charCodeAt(0))) throw new PatternProblem(`\\${character} is not supported`);
    return this.single(character);
  }

  private single(character: string): Uint8Array {
    const code = character.charCodeAt(0);
    // On the wire it would be several octets, and a class with it would mean each of them.
    if (code > 127) throw new PatternProblem(`"${character}" is not ASCII; its octets are written as \\xHH`);
    return octet(code);
  }

  private set(set: Uint8Array): PatternNode {
    return { kind: 'set', set: this.bothCases(set) };
  }

  private bothCases(set: Uint8Array): Uint8Array {
    if (!this.ignoreCase) return set;
    return setOf(
      code => set[code] === 1 || (isLower(code) && set[code - 32] === 1) || (isUpper(code) && set[code + 32] === 1),
    );
  }

  private peek(): string | undefined {
    return this.text[this.at];
  }

  private take(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }
}

const count = (set: Uint8Array): number => set.reduce((total, has) => total + has, 0);
