/** Machines made of network namespaces on one bridge: `10.77.0.x` and `fd77::x`, the first one holds the bridge. Needs root. */
import { randomBytes } from 'node:crypto';
import { runToEnd } from './processes.ts';

/** One machine. */
export interface Machine {
  readonly namespace: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Owned by the test; takes its namespaces, and all that is in them, along. */
export class Namespaces implements AsyncDisposable {
  private readonly prefix = `or${randomBytes(3).toString('hex')}`;
  private readonly machines: Machine[] = [];

  /** Adds a machine. All of them reach each other, and everything else by way of the first. */
  async add(): Promise<Machine> {
    const number = this.machines.length + 1;
    const namespace = `${this.prefix}-${number}`;
    const machine = { namespace, ipv4: `10.77.0.${number}`, ipv6: `fd77::${number}` };
    await ip('netns', 'add', namespace);
    this.machines.push(machine);
    await ip('-n', namespace, 'link', 'set', 'lo', 'up');
    const hub = this.machines[0] as Machine;
    const device = number === 1 ? 'br0' : 'eth0';
    if (number === 1) await ip('-n', namespace, 'link', 'add', device, 'type', 'bridge');
    else {
      const end = `p${number}`;
      await ip('link', 'add', device, 'netns', namespace, 'type', 'veth', 'peer', 'name', end, 'netns', hub.namespace);
      await ip('-n', hub.namespace, 'link', 'set', end, 'master', 'br0', 'up');
    }
    await ip('-n', namespace, 'addr', 'add', `${machine.ipv4}/24`, 'dev', device);
    await ip('-n', namespace, 'addr', 'add', `${machine.ipv6}/64`, 'dev', device, 'nodad');
    await ip('-n', namespace, 'link', 'set', device, 'up');
    if (number > 1) {
      await ip('-n', namespace, 'route', 'add', 'default', 'via', hub.ipv4);
      await ip('-n', namespace, '-6', 'route', 'add', 'default', 'via', hub.ipv6);
    }
    return machine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { namespace } of this.machines.reverse()) await runToEnd('ip', ['netns', 'del', namespace]);
  }
}

/** The words that run a program on a machine. */
export const on = ({ namespace }: Machine, ...words: readonly string[]): readonly string[] => [
  'netns',
  'exec',
  namespace,
  ...words,
];

const ip = async (...words: readonly string[]): Promise<void> => {
  const { code, stderr } = await runToEnd('ip', words);
  if (code !== 0) throw new Error(`ip ${words.join(' ')}: ${stderr}`);
};
