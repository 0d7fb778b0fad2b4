import { Failure } from '../failure.ts';
import type { Finished } from './machine.ts';
import type { Rules } from './rules.ts';

/** A program that tells the kernel the rules, and its way to say them. */
export interface Backend {
  readonly name: 'nft' | 'iptables';
  /** What `install` would feed it where nothing is installed yet. */
  print(rules: Rules, hasIPv6: boolean): string;
  /** Replaces what is there of ours. All or nothing. @throws Failure */
  install(rules: Rules, hasIPv6: boolean): Promise<void>;
  /** Takes everything of ours away. @throws Failure */
  remove(): Promise<'removed' | 'nothing there' | 'not installed'>;
}

/** What a program said on standard output. @throws Failure where it is not installed, or failed */
export const succeeded = (program: string, packageName: string, finished: Finished | undefined): string => {
  if (finished === undefined)
    throw new Failure(`${program} is not installed; it comes with the package ${packageName}`);
  const { code, stdout, stderr } = finished;
  if (code === 0) return stdout;
  const said = stderr.trim().split('\n').slice(0, 2).join(' ').replace(/\s+/g, ' ');
  throw new Failure(
    `${program} failed: ${said || `exit code ${code}`}. The kernel needs nat and redirect for it, and this process CAP_NET_ADMIN and CAP_NET_RAW`,
  );
};
