import { type Backend, succeeded } from './backend.ts';
import type { IpFamily } from './cidrs.ts';
import { isOursAlone, type NatTable, readNatTable, renderIptables, renderRemoval, UNTOUCHED } from './iptables.ts';
import type { Machine } from './machine.ts';
import type { Rules } from './rules.ts';

const PACKAGE = 'iptables';
const WAIT_SECONDS = '5';

/** One IP family: iptables has programs of their own for each. */
interface Side {
  readonly family: IpFamily;
  readonly save: string;
  readonly restore: string;
  /** As nft calls the table that iptables keeps in nf_tables. */
  readonly nftTable: string;
}

const IPV4: Side = { family: 'ipv4', save: 'iptables-save', restore: 'iptables-restore', nftTable: 'ip' };
const IPV6: Side = { family: 'ipv6', save: 'ip6tables-save', restore: 'ip6tables-restore', nftTable: 'ip6' };

/** iptables(8) and ip6tables(8), on top of nf_tables or legacy. Each family is one transaction; where the second fails, both are gone. */
export const iptablesBackend = (machine: Machine): Backend => {
  const look = async ({ save }: Side): Promise<NatTable | undefined> => {
    // All tables: to ask for one would make it.
    const finished = await machine.run(save, []);
    return finished && readNatTable(succeeded(save, PACKAGE, finished));
  };
  const feed = async ({ restore }: Side, input: string): Promise<void> => {
    const args = ['--noflush', '--wait', WAIT_SECONDS];
    succeeded(restore, PACKAGE, await machine.run(restore, args, input));
  };
  const install = async (side: Side, rules: Rules): Promise<void> =>
    feed(side, renderIptables(rules, side.family, (await look(side)) ?? UNTOUCHED));
  const remove = async (side: Side): Promise<boolean> => {
    const table = await look(side);
    if (table === undefined || table.chains.length === 0) return false;
    await feed(side, renderRemoval(table));
    // Without nft an empty table stays, which does nothing.
    if (isOursAlone(table)) await machine.run('nft', ['delete', 'table', side.nftTable, 'nat']);
    return true;
  };
  return {
    name: 'iptables',
    print: (rules, hasIPv6) =>
      [IPV4, ...(hasIPv6 ? [IPV6] : [])]
        .map(({ restore, family }) => `# ${restore} --noflush\n${renderIptables(rules, family, UNTOUCHED)}`)
        .join(''),
    install: async (rules, hasIPv6) => {
      await install(IPV4, rules);
      try {
        if (hasIPv6) await install(IPV6, rules);
        else await remove(IPV6);
      } catch (error) {
        // One family alone would let the app's traffic round the mesh by the other.
        await Promise.allSettled([remove(IPV4), remove(IPV6)]);
        throw error;
      }
    },
    remove: async () => {
      if ((await machine.run(IPV4.save, ['--version'])) === undefined) return 'not installed';
      const removed = [await remove(IPV4), await remove(IPV6)];
      return removed.includes(true) ? 'removed' : 'nothing there';
    },
  };
};
