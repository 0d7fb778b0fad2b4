/** The rules in the words of iptables-restore(8) and ip6tables-restore(8), read with `--noflush`: one transaction on the table nat. */

import { formatCidr, type IpFamily } from './cidrs.ts';
import { formatRange, type Range } from './ranges.ts';
import type { Match, Rule, Rules } from './rules.ts';

const INBOUND = 'OUTRIDER_INBOUND';
const OUTBOUND = 'OUTRIDER_OUTBOUND';
/** Empty. Says that the table was not there before us. */
const MADE_TABLE = 'OUTRIDER_MADE_TABLE';
const JUMPS: readonly string[] = [`-A PREROUTING -p tcp -j ${INBOUND}`, `-A OUTPUT -p tcp -j ${OUTBOUND}`];
/** Ports that one multiport match takes; a range counts for two. */
const MULTIPORT_SLOTS = 15;

/** What a table nat has of ours, read from `iptables-save`. */
export interface NatTable {
  readonly exists: boolean;
  /** Our chains. */
  readonly chains: readonly string[];
  /** Rules of other chains that lead to ours, as they were appended. */
  readonly jumps: readonly string[];
  /** Rules, chains or policies that are not ours. */
  readonly hasOthers: boolean;
  /** iptables on top of nf_tables, where a table can be removed. */
  readonly isNfTables: boolean;
}

export const readNatTable = (saved: string): NatTable => {
  const start = saved.indexOf('*nat\n');
  const section = start < 0 ? '' : saved.slice(start, saved.indexOf('\nCOMMIT', start));
  const lines = section.split('\n').slice(1);
  const ours = lines.filter(line => /^(:|-A )OUTRIDER_/.test(line));
  const jumps = lines.filter(line => /^-A (?!OUTRIDER_).* -j OUTRIDER_/.test(line));
  const others = lines.filter(line => !ours.includes(line) && !jumps.includes(line) && !/^:\w+ ACCEPT /.test(line));
  return {
    exists: start >= 0,
    chains: ours.flatMap(line => /^:(\S+)/.exec(line)?.[1] ?? []),
    jumps,
    hasOthers: others.length > 0,
    isNfTables: saved.includes('(nf_tables)'),
  };
};

/** A table with nothing of ours. */
export const UNTOUCHED: NatTable = { exists: true, chains: [], jumps: [], hasOthers: false, isNfTables: false };

/** Whether a table that is cleaned up is one that we made, and nobody else uses. */
export const isOursAlone = ({ chains, hasOthers, isNfTables }: NatTable): boolean =>
  isNfTables && !hasOthers && chains.includes(MADE_TABLE);

/** Replaces what is there of ours. */
export const renderIptables = ({ inbound, outbound }: Rules, family: IpFamily, table: NatTable): string => {
  const chains = [INBOUND, OUTBOUND];
  if (!table.exists || table.chains.includes(MADE_TABLE)) chains.push(MADE_TABLE);
  return transaction([
    // Without --flush, to declare a chain is to empty it.
    ...chains.map(chain => `:${chain} - [0:0]`),
    ...renderChain(INBOUND, inbound, '-i', family),
    ...renderChain(OUTBOUND, outbound, '-o', family),
    ...JUMPS.filter(jump => !table.jumps.includes(jump)),
  ]);
};

/** Removes what is there of ours. */
export const renderRemoval = ({ chains, jumps }: NatTable): string =>
  transaction([
    ...jumps.map(jump => jump.replace(/^-A/, '-D')),
    ...chains.map(chain => `-F ${chain}`),
    ...chains.map(chain => `-X ${chain}`),
  ]);

const transaction = (lines: readonly string[]): string => ['*nat', ...lines, 'COMMIT', ''].join('\n');

const renderChain = (chain: string, rules: readonly Rule[], device: string, family: IpFamily): readonly string[] =>
  rules.flatMap(({ match, redirectTo }) => {
    const [begins, verdict] =
      redirectTo === 'leave' ? ['', '-j RETURN'] : [' --syn', `-j REDIRECT --to-ports ${redirectTo}`];
    return product(conditions(match, device, family, begins)).map(words =>
      ['-A', chain, ...words.filter(word => word !== ''), verdict].join(' '),
    );
  });

/** For each condition the ways to fulfil it: iptables has no sets, so each combination becomes a rule. */
const conditions = (
  { forwarded, interfaces, cidrs, ports, uids, gids }: Match,
  device: string,
  family: IpFamily,
  begins: string,
): readonly (readonly string[])[] => [
  interfaces?.map(name => `${device} ${name}`) ?? [''],
  cidrs?.filter(cidr => cidr.family === family).map(cidr => `-d ${formatCidr(cidr)}`) ?? [''],
  [`-p tcp${begins}`],
  forwarded ? ['-m addrtype ! --dst-type LOCAL'] : [''],
  ports === undefined ? [''] : multiports(ports),
  uids?.map(range => `-m owner --uid-owner ${formatRange(range, '-')}`) ?? [''],
  gids?.map(range => `-m owner --gid-owner ${formatRange(range, '-')}`) ?? [''],
];

const product = (lists: readonly (readonly string[])[]): readonly (readonly string[])[] =>
  lists.reduce<readonly (readonly string[])[]>(
    (lines, list) => lines.flatMap(line => list.map(word => [...line, word])),
    [[]],
  );

const multiports = (ports: readonly Range[]): readonly string[] => {
  const groups: Range[][] = [];
  let free = 0;
  for (const range of ports) {
    const slots = range.from === range.to ? 1 : 2;
    if (slots > free) {
      groups.push([]);
      free = MULTIPORT_SLOTS;
    }
    groups.at(-1)?.push(range);
    free -= slots;
  }
  return groups.map(group => `-m multiport --dports ${group.map(range => formatRange(range, ':')).join(',')}`);
};
