import type { Status } from '../control-plane/rest/status.ts';

/** A command that cannot do what it was asked: its lines go to standard error, the exit code is 1. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly lines: readonly string[];

  constructor(...lines: readonly string[]) {
    super(lines.join('; '));
    this.lines = lines;
  }
}

/** One line for each wrong field, else the message of the status. */
export const failureOf = (status: Pick<Status, 'message' | 'details'>): Failure => {
  const causes = status.details?.causes ?? [];
  return causes.length > 0
    ? new Failure(...causes.map(({ field, message }) => `${field}: ${message}`))
    : new Failure(status.message ?? 'the control plane refused without a reason');
};

/** Writes `error: …` lines, and makes the exit code 1. */
export const report = (error: unknown, prefix = ''): void => {
  const lines = error instanceof Failure ? error.lines : [error instanceof Error ? error.message : String(error)];
  for (const line of lines) process.stderr.write(`error: ${prefix}${line}\n`);
  process.exitCode = 1;
};
