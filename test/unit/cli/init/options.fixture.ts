import { type RuleFlags, readOptions } from '../../../../cli/init/read-options.ts';
import { createRules, type Rules } from '../../../../cli/init/rules.ts';

/** The rules of these flags, which must be right. */
export const rulesOf = (flags: RuleFlags = {}): Rules => {
  const read = readOptions(flags);
  if ('problems' in read) throw new Error(JSON.stringify(read.problems));
  return createRules(read.options);
};
