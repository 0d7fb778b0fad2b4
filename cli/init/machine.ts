import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the rules are installed on: this machine, or a container's part of it. */
export interface Machine {
  /** Whether the kernel has IPv6 here. */
  readonly hasIPv6: boolean;
  /** Whether this process may change the network: CAP_NET_ADMIN, capabilities(7). */
  readonly mayAdminister: boolean;
  /** Runs a program with this standard input; undefined: it is not installed. */
  readonly run: (program: string, args: readonly string[], input?: string) => Promise<Finished | undefined>;
}

const NET_ADMIN_BIT = 12n;
/** Where such programs are, which an ordinary user's PATH lacks. */
const ADMIN_FOLDERS = '/usr/sbin:/sbin';

export const thisMachine = (): Machine => ({
  hasIPv6: existsSync('/proc/self/net/if_inet6'),
  mayAdminister: hasNetAdmin(read('/proc/self/status')),
  run: runProgram,
});

/** Reads the effective capabilities in `/proc/self/status`. */
export const hasNetAdmin = (status: string): boolean => {
  const [, effective = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return ((BigInt(`0x${effective}`) >> NET_ADMIN_BIT) & 1n) === 1n;
};

/** '' where there is no such file: not Linux. */
const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

const runProgram: Machine['run'] = async (program, args, input = '') => {
  const path = `${process.env.PATH ?? ''}:${ADMIN_FOLDERS}`;
  const child = spawn(program, args, { env: { ...process.env, PATH: path, LC_ALL: 'C' } });
  const { promise: code, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject).once('close', resolve);
  // A program that fails early does not read: its exit code says so.
  child.stdin.on('error', () => {}).end(input);
  const outputs = Promise.all([text(child.stdout), text(child.stderr)]);
  try {
    const [status, [stdout, stderr]] = await Promise.all([code, outputs]);
    return { code: status, stdout, stderr };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};
