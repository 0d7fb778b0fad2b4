import { VOLATILE } from '../head.ts';
import { isReserved } from '../reserved-fields.ts';
import { fieldProblem } from './check-fields.ts';

/** One to fifteen decimal digits. */
export const isContentLength = (value: string): boolean => {
  const { length } = value;
  for (let i = 0; i < length; i++) {
    const digit = value.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return false;
  }
  return length > 0 && length <= 15;
};

/** Which of the reserved names are taken; the others are dropped. */
export type Allowed = (name: string) => boolean;

const nothing: Allowed = () => false;
const linkRequestFields: ReadonlySet<string> = new Set(['outrider-h1', 'outrider-timeout-ms', 'outrider-attempt']);
const linkResponseFields: ReadonlySet<string> = new Set(['outrider-h1', 'x-outrider-flag', 'x-outrider-detail']);

/** `trusted`: from another sidecar. */
export const allowedInRequest = (trusted: boolean): Allowed =>
  trusted ? name => linkRequestFields.has(name) : nothing;
export const allowedInResponse = (trusted: boolean): Allowed =>
  trusted ? name => linkResponseFields.has(name) : nothing;

/** Checks the fields behind the pseudo-header fields one by one, and sorts them into stable and volatile ones. */
export class FieldSorter {
  /** The head's shape, when the peer said one. */
  shape = '';
  private readonly stable: string[] = [];
  private readonly volatile: string[];
  private cookie = '';
  private contentLength = '';
  private readonly allowed: Allowed;

  /** Volatile fields are added to `volatile`. */
  constructor(volatile: string[], allowed: Allowed) {
    this.volatile = volatile;
    this.allowed = allowed;
  }

  /** '' or what is wrong. */
  add(name: string, value: string): string {
    const problem = fieldProblem(name, value);
    if (problem !== '') return problem;
    if (isReserved(name) && !this.allowed(name)) return '';
    if (name === 'content-length') {
      if (!isContentLength(value) || (this.contentLength !== '' && this.contentLength !== value))
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

  /** The stable fields, when all were added. */
  list(): string[] {
    if (this.cookie !== '') this.stable.push('cookie', this.cookie);
    return this.stable;
  }
}
