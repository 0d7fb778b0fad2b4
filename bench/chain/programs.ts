/** Programs on PATH, and their versions. */
import { spawnSync } from 'node:child_process';

/** First line of what `program args…` prints on either output, or undefined when there is no such program. */
export const programVersion = (program: string, args: readonly string[]): string | undefined => {
  const { error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 5_000 });
  if (error) return undefined;
  return (
    `${stdout}\n${stderr}`
      .split('\n')
      .find(line => line.trim() !== '')
      ?.trim() ?? ''
  );
};

/** One sentence about the first of `programs` that is not on PATH, or undefined. */
export const missingProgram = (programs: readonly string[]): string | undefined => {
  const missing = programs.find(
    program => programVersion(program, [program === 'nginx' ? '-v' : '--version']) === undefined,
  );
  return missing && `\`${missing}\` is not on PATH.`;
};
