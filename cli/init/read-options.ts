import { type Cidr, parseCidrs } from './cidrs.ts';
import { isWithin, parseRanges, type Range } from './ranges.ts';
import { type Included, type InterceptionOptions, neverInbound, SSH } from './rules.ts';

export interface Problem {
  readonly flag: string;
  readonly reason: string;
}

const PORTS: Range = { from: 1, to: 65_535 };
/** The last one stands for "no user" in the kernel. */
const IDS: Range = { from: 0, to: 4_294_967_294 };
/** IFNAMSIZ, without what means something to nft or iptables. */
const INTERFACE = /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,14}$/;

/** Flags that say what is taken: name, default, meaning. Names are those of istio-iptables and of linkerd's proxy-init, where they have one. */
export const RULE_FLAGS = [
  ['proxy-uid', '1337', 'user ids of the sidecar, whose own connections are left alone'],
  ['proxy-gid', '1337', 'its group ids; one of the two is enough'],
  ['inbound-port', '15006', 'where the sidecar takes what comes in'],
  ['outbound-port', '15001', 'where the sidecar takes what goes out'],
  ['inbound-ports', '*', 'ports of the app that are taken: 80,8000-8100, * or none'],
  ['exclude-inbound-ports', 'none', 'ports of the app that are left alone'],
  ['outbound-ports', '*', 'ports of destinations that are taken'],
  ['exclude-outbound-ports', 'none', 'ports of destinations that are left alone'],
  ['include-cidrs', '*', 'destinations that are taken: 10.0.0.0/8,fd00::/8'],
  ['exclude-cidrs', 'none', 'destinations that are left alone'],
  ['include-interfaces', '*', 'network interfaces that are meant, both ways: eth0,eth1'],
  ['exclude-interfaces', 'none', 'network interfaces that are left alone, both ways'],
  ['include-uids', '*', 'users whose connections are taken: 1000,2000-2999'],
  ['exclude-uids', 'none', 'users whose connections are left alone'],
  ['include-gids', '*', 'groups whose connections are taken'],
  ['exclude-gids', 'none', 'groups whose connections are left alone'],
] as const;

type RuleFlag = (typeof RULE_FLAGS)[number][0];
export type RuleFlags = Readonly<Partial<Record<RuleFlag, string>>>;

/** All that is wrong, by flag, or the options. */
export const readOptions = (
  flags: RuleFlags,
): { readonly options: InterceptionOptions } | { readonly problems: readonly Problem[] } => {
  const problems: Problem[] = [];
  const text = (flag: RuleFlag): string =>
    (flags[flag] ?? RULE_FLAGS.find(([name]) => name === flag)?.[1] ?? '').trim();
  const refuse = (flag: RuleFlag, reason: string): readonly never[] => {
    problems.push({ flag, reason });
    return [];
  };
  const list = <T>(flag: RuleFlag, parse: (text: string) => readonly T[] | undefined, hint: string): readonly T[] =>
    text(flag) === 'none'
      ? []
      : (parse(text(flag)) ?? refuse(flag, `is ${JSON.stringify(text(flag))}, but must be ${hint}`));
  const included = <T>(...[flag, parse, hint]: Parameters<typeof list<T>>): Included<T> =>
    text(flag) === '*' ? '*' : list(flag, parse, `${hint}, * or none`);

  const port = (flag: RuleFlag): number => {
    const [range, ...more] = parsePorts(text(flag)) ?? [];
    if (range !== undefined && range.from === range.to && more.length === 0) return range.from;
    refuse(flag, `is ${JSON.stringify(text(flag))}, but must be a port from 1 to 65535`);
    return 0;
  };
  const ports = [parsePorts, 'ports from 1 to 65535 such as 80,8000-8100'] as const;
  const cidrs = [parseCidrs, 'addresses or networks such as 10.0.0.0/8,fd00::/8'] as const;
  const interfaces = [parseInterfaces, 'names of network interfaces such as eth0,eth1'] as const;
  const ids = [parseIds, 'numbers such as 1000,2000-2999'] as const;
  const options: InterceptionOptions = {
    proxyUids: list('proxy-uid', ...ids),
    proxyGids: list('proxy-gid', ...ids),
    inboundPort: port('inbound-port'),
    outboundPort: port('outbound-port'),
    inboundPorts: included('inbound-ports', ...ports),
    excludeInboundPorts: list('exclude-inbound-ports', ...ports),
    outboundPorts: included('outbound-ports', ...ports),
    excludeOutboundPorts: list('exclude-outbound-ports', ...ports),
    includeCidrs: included<Cidr>('include-cidrs', ...cidrs),
    excludeCidrs: list('exclude-cidrs', ...cidrs),
    includeInterfaces: included('include-interfaces', ...interfaces),
    excludeInterfaces: list('exclude-interfaces', ...interfaces),
    includeUids: included('include-uids', ...ids),
    excludeUids: list('exclude-uids', ...ids),
    includeGids: included('include-gids', ...ids),
    excludeGids: list('exclude-gids', ...ids),
  };
  if (problems.length === 0) problems.push(...contradictions(options));
  return problems.length > 0 ? { problems } : { options };
};

/** What each flag may say, but not all of them together. */
const contradictions = (options: InterceptionOptions): readonly Problem[] => {
  const { proxyUids, proxyGids, inboundPort, outboundPort, inboundPorts, outboundPorts } = options;
  const problems: Problem[] = [];
  if (proxyUids.length + proxyGids.length === 0)
    problems.push({ flag: 'proxy-uid', reason: 'and --proxy-gid are none: the sidecar would be redirected to itself' });
  if (inboundPort === outboundPort)
    problems.push({
      flag: 'inbound-port',
      reason: `is ${inboundPort}, as is --outbound-port: each needs a port of its own`,
    });
  const asked = (flag: RuleFlag, ports: Included<Range>, never: readonly Range[]): void => {
    for (const range of ports === '*' ? [] : ports)
      if (isWithin(range, never)) problems.push({ flag, reason: `names ${range.from}, which is never taken` });
  };
  asked('inbound-ports', inboundPorts, neverInbound(options));
  asked('outbound-ports', outboundPorts, [SSH]);
  return problems;
};

const parsePorts = (text: string): readonly Range[] | undefined => parseRanges(text, PORTS);
const parseIds = (text: string): readonly Range[] | undefined => parseRanges(text, IDS);

const parseInterfaces = (text: string): readonly string[] | undefined => {
  const names = new Set(text.split(',').map(name => name.trim()));
  return [...names].every(name => INTERFACE.test(name)) ? [...names] : undefined;
};
