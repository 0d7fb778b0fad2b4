import type { ProbeResult } from './probe.ts';

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  UND_ERR_SOCKET: 'connection closed',
};

/** There was no answer: what a system call or a library says about it. */
export const probeFailure = (error: unknown): ProbeResult => {
  const { cause } = error as Error;
  const { code = '', message } = (cause instanceof Error ? cause : error) as NodeJS.ErrnoException;
  return { ok: false, cause: WORDS[code] ?? message };
};
