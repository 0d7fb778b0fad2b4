import { setTimeout as pause } from 'node:timers/promises';

/**
 * The first value of `look` that is neither undefined nor false. It is asked again every 20 ms, and a look that throws counts as "not yet".
 * @throws after `timeoutMs` (10 s by default), naming `what` and the last error.
 */
export const waitFor = async <T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 10_000,
): Promise<T> => {
  const end = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const value = await look();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    await pause(20);
  }
  throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: last });
};
