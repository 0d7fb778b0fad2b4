/**
 * The regular expressions of routes. They come from users and run on what the network sends, so a match takes time in proportion to the text,
 * whatever the pattern: all states are followed at once and nothing is tried twice (Thompson 1968; RE2). JavaScript's own would let thirty
 * characters stop the process for seconds.
 */
import { type Assertion, isWord, OTHER, type PatternNode, PatternParser, PatternProblem } from './pattern-syntax.ts';

const MAX_PATTERN = 4_096;
/** Of a compiled pattern; each costs time for each character. */
const MAX_STEPS = 1_000;
/** Longer texts do not match: with the steps this bounds a match. */
const MAX_TEXT = 8_192;

type Step =
  | { readonly kind: 'set'; readonly set: Uint8Array; readonly next: number }
  | { readonly kind: 'split'; readonly nexts: readonly number[] }
  | { readonly kind: 'assert'; readonly what: Assertion; readonly next: number }
  | { readonly kind: 'match' };

/** A compiled pattern. */
export class Pattern {
  private readonly steps: readonly Step[];
  private readonly start: number;
  /** Steps that read the next character; two lists that change places. */
  private now: Uint16Array;
  private later: Uint16Array;
  /** In which round a step was last entered. */
  private readonly entered: Float64Array;
  private round = 0;

  constructor(steps: readonly Step[], start: number) {
    this.steps = steps;
    this.start = start;
    this.now = new Uint16Array(steps.length);
    this.later = new Uint16Array(steps.length);
    this.entered = new Float64Array(steps.length);
  }

  /** Whether all of `text` matches. */
  matches(text: string): boolean {
    if (text.length > MAX_TEXT) return false;
    this.round++;
    let active = this.enter(this.start, this.now, 0, text, 0);
    for (let at = 0; at < text.length && active > 0; at++) {
      const code = Math.min(text.charCodeAt(at), OTHER);
      this.round++;
      let following = 0;
      for (let i = 0; i < active; i++) {
        const step = this.steps[this.now[i] as number] as Step;
        if (step.kind === 'set' && step.set[code] === 1)
          following = this.enter(step.next, this.later, following, text, at + 1);
      }
      [this.now, this.later] = [this.later, this.now];
      active = following;
    }
    for (let i = 0; i < active; i++) if (this.steps[this.now[i] as number]?.kind === 'match') return true;
    return false;
  }

  /** Adds the steps that can be reached from `step` without reading; returns the length of the list. */
  private enter(first: number, list: Uint16Array, length: number, text: string, at: number): number {
    const open = [first];
    let end = length;
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (this.entered[index] === this.round) continue;
      this.entered[index] = this.round;
      const step = this.steps[index] as Step;
      if (step.kind === 'split') open.push(...step.nexts);
      else if (step.kind !== 'assert') list[end++] = index;
      else if (holds(step.what, text, at)) open.push(step.next);
    }
    return end;
  }
}

const holds = (what: Assertion, text: string, at: number): boolean => {
  if (what === 'start') return at === 0;
  if (what === 'end') return at === text.length;
  const boundary = isWordAt(text, at - 1) !== isWordAt(text, at);
  return what === 'boundary' ? boundary : !boundary;
};

const isWordAt = (text: string, at: number): boolean => at >= 0 && at < text.length && isWord(text.charCodeAt(at));

/** The pattern, or why it is none: ends the sentence "must be a regular expression: …". */
export const compilePattern = (source: string): Pattern | string => {
  if (source.length > MAX_PATTERN) return `it has more than ${MAX_PATTERN} characters`;
  try {
    const steps: Step[] = [{ kind: 'match' }];
    const start = emit(steps, new PatternParser(source).parse(), 0);
    return new Pattern(steps, start);
  } catch (error) {
    if (error instanceof PatternProblem) return error.reason;
    throw error;
  }
};

const add = (steps: Step[], step: Step): number => {
  if (steps.length >= MAX_STEPS) throw new PatternProblem('it is too large');
  return steps.push(step) - 1;
};

/** Emits the steps of a node in front of `next`, from the back; returns the first one. */
const emit = (steps: Step[], node: PatternNode, next: number): number => {
  switch (node.kind) {
    case 'set':
      return add(steps, { kind: 'set', set: node.set, next });
    case 'assert':
      return add(steps, { kind: 'assert', what: node.what, next });
    case 'sequence':
      return node.items.reduceRight((following, item) => emit(steps, item, following), next);
    case 'choice':
      return add(steps, { kind: 'split', nexts: node.items.map(item => emit(steps, item, next)) });
    case 'repeat':
      return emitRepeat(steps, node.item, node.min, node.max, next);
    default:
      return node satisfies never;
  }
};

const emitRepeat = (steps: Step[], item: PatternNode, min: number, max: number, next: number): number => {
  let first = next;
  if (max === Number.POSITIVE_INFINITY) {
    const nexts = [next];
    first = add(steps, { kind: 'split', nexts });
    nexts.push(emit(steps, item, first));
  } else {
    for (let i = min; i < max; i++) first = add(steps, { kind: 'split', nexts: [next, emit(steps, item, first)] });
  }
  // An empty item adds no steps however often it is repeated, so nested repeats of nothing must be counted as well.
  for (let i = 0; i < min; i++) first = add(steps, { kind: 'split', nexts: [emit(steps, item, first)] });
  return first;
};
