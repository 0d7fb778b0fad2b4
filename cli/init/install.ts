import { Failure } from '../failure.ts';
import type { Backend } from './backend.ts';
import type { Rules } from './rules.ts';

/**
 * Installs with the first backend that can, and takes away what the others hold from earlier.
 * Gives its name, and why those before it could not.
 * @throws Failure where none can; nothing is changed then
 */
export const install = async (
  backends: readonly [Backend, ...Backend[]],
  others: readonly Backend[],
  rules: Rules,
  hasIPv6: boolean,
): Promise<{ readonly name: string; readonly notes: readonly string[] }> => {
  const notes: string[] = [];
  for (const backend of backends) {
    try {
      await backend.install(rules, hasIPv6);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      notes.push(...error.lines);
      continue;
    }
    for (const other of others) if (other.name !== backend.name) await removeIfAny(other);
    return { name: backend.name, notes };
  }
  throw new Failure(...notes);
};

/** Takes the rules of all backends away. True: there were some. @throws Failure */
export const cleanUp = async (backends: readonly Backend[]): Promise<boolean> => {
  const found: string[] = [];
  const problems: string[] = [];
  for (const backend of backends)
    try {
      found.push(await backend.remove());
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      problems.push(...error.lines);
    }
  if (problems.length > 0) throw new Failure(...problems);
  if (found.every(each => each === 'not installed'))
    throw new Failure(
      `${backends.map(({ name }) => name).join(' and ')}: not installed, so nobody can tell what is there`,
    );
  return found.includes('removed');
};

const removeIfAny = async (backend: Backend): Promise<void> => {
  try {
    await backend.remove();
  } catch (error) {
    // What this kernel does not know holds no rules.
    if (!(error instanceof Failure)) throw error;
  }
};
