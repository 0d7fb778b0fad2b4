import type { Cursor } from '../thrift/cursor.ts';
import { MAX_DEPTH } from './limits.ts';
import { skipText } from './text.ts';

/** Bytes behind the tags of values that have a size of their own: null, booleans, int, long, double, date, ref. */
const FIXED: Readonly<Record<string, number>> = { N: 0, T: 0, F: 0, I: 4, L: 8, D: 8, d: 8, R: 4 };

/**
 * Passes over one Hessian 1 value, as the headers of a call or reply have them. Returns what is wrong, or ''; where bytes are missing, the cursor
 * says so. Nothing is built, and depth costs no stack. Hessian 1.0.2 §4.
 */
export const skipValue = (cursor: Cursor): '' | 'hessian_header' | 'hessian_depth' => {
  let depth = 0;
  for (;;) {
    const tag = String.fromCharCode(cursor.u8());
    if (cursor.state !== 'ok') return '';
    const fixed = FIXED[tag];
    let whole = true;
    if (fixed !== undefined) cursor.skip(fixed);
    else
      switch (tag) {
        // A string or XML: `s` and `x` are pieces that are not the last.
        case 'S':
        case 'X':
        case 's':
        case 'x':
          if (!skipText(cursor, cursor.u16())) return 'hessian_header';
          whole = tag < 'a';
          break;
        case 'B':
        case 'b':
          cursor.skip(cursor.u16());
          whole = tag === 'B';
          break;
        case 'M':
        case 'V':
          if (++depth > MAX_DEPTH) return 'hessian_depth';
          break;
        case 'z':
          if (--depth < 0) return 'hessian_header';
          break;
        // The type of a list or map, and the length of a list.
        case 't':
          if (depth === 0 || !skipText(cursor, cursor.u16())) return 'hessian_header';
          break;
        case 'l':
          if (depth === 0) return 'hessian_header';
          cursor.skip(4);
          break;
        default:
          return 'hessian_header';
      }
    if ((depth === 0 && whole) || cursor.state !== 'ok') return '';
  }
};
