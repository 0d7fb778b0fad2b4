/**
 * Durations as people write them in resources and flags: `10s`, `500ms`, `1h30m`.
 *
 * The grammar is the Gateway API's: one to four parts, each one to five digits and a unit, no sign, no fraction; a unit
 * may repeat, and the order is free. `0s` is allowed and often means "none".
 *
 * Source: Gateway API GEP-2257.
 */

/** What a duration looks like, for schemas. */
export const DURATION_PATTERN = '^([0-9]{1,5}(h|m|s|ms)){1,4}$';

const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
const WHOLE = new RegExp(DURATION_PATTERN);
const PART = /([0-9]+)(ms|h|m|s)/g;

/** Milliseconds, or undefined when `text` is not a duration. */
export const parseDuration = (text: string): number | undefined => {
  if (!WHOLE.test(text)) return undefined;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(PART)) total += Number(digits) * UNIT_MS[unit as keyof typeof UNIT_MS];
  return total;
};

/** The shortest way to write a whole, non-negative number of milliseconds: `5400000` is `1h30m`, 0 is `0s`. */
export const formatDuration = (ms: number): string => {
  if (ms === 0) return '0s';
  let rest = ms;
  let text = '';
  for (const [unit, size] of Object.entries(UNIT_MS)) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
};
