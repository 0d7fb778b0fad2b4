/** The rules in the words of nft(8). */

import { formatCidr, type IpFamily } from './cidrs.ts';
import { formatRange, type Range } from './ranges.ts';
import type { Match, Rule, Rules } from './rules.ts';

/** Of our own, so that nobody else's rules are touched. */
const TABLE = 'outrider';
const FAMILIES: readonly IpFamily[] = ['ipv4', 'ipv6'];
/** A connection that stood before the rules is new to the kernel's connection tracking, but does not begin with a SYN. */
const BEGINS = 'tcp flags & (fin | syn | rst | ack) == syn';

/** The table, for `nft -f -`; `inet` needs IPv6 in the kernel (and Linux 5.2). */
export const renderNft = ({ inbound, outbound }: Rules, hasIPv6: boolean): string => `table ${
  hasIPv6 ? 'inet' : 'ip'
} ${TABLE} {
  chain inbound {
    type nat hook prerouting priority -100; policy accept;
${renderChain(inbound, 'iifname', hasIPv6)}
  }
  chain outbound {
    type nat hook output priority -100; policy accept;
${renderChain(outbound, 'oifname', hasIPv6)}
  }
}
`;

/** Our tables among those that `nft list tables` has listed, as `table inet outrider`. */
export const findTables = (listed: string): readonly string[] =>
  listed.split('\n').filter(line => line === `table inet ${TABLE}` || line === `table ip ${TABLE}`);

const renderChain = (rules: readonly Rule[], device: string, hasIPv6: boolean): string =>
  rules
    .flatMap(({ match, redirectTo }) => {
      const verdict = redirectTo === 'leave' ? 'return' : `${BEGINS} counter redirect to :${redirectTo}`;
      return expressions(match, device, hasIPv6).map(expression => `    ${expression}${verdict}`);
    })
    .join('\n');

/** One for each IP family that addresses are given of; one where none are. */
const expressions = (match: Match, device: string, hasIPv6: boolean): readonly string[] => {
  const { forwarded, interfaces, cidrs, ports, uids, gids } = match;
  const before = [
    forwarded && 'fib daddr type != local',
    interfaces && `${device} ${set(interfaces.map(name => JSON.stringify(name)))}`,
  ];
  const after = [
    ports && `tcp dport ${ranges(ports)}`,
    uids && `meta skuid ${ranges(uids)}`,
    gids && `meta skgid ${ranges(gids)}`,
  ];
  const addresses =
    cidrs === undefined
      ? [undefined]
      : FAMILIES.filter(family => hasIPv6 || family === 'ipv4').flatMap(family => {
          const blocks = cidrs.filter(cidr => cidr.family === family).map(formatCidr);
          return blocks.length > 0 ? [`${family === 'ipv6' ? 'ip6' : 'ip'} daddr ${set(blocks)}`] : [];
        });
  return addresses.map(address =>
    [...before, address, ...after].map(part => (part === undefined ? '' : `${part} `)).join(''),
  );
};

const set = (items: readonly string[]): string => (items.length === 1 ? String(items[0]) : `{ ${items.join(', ')} }`);

const ranges = (list: readonly Range[]): string => set(list.map(range => formatRange(range, '-')));
