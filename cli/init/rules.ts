/** Which connections the kernel redirects to the sidecar, before it is said in the words of nft or iptables. */

import type { Cidr } from './cidrs.ts';
import { mergeRanges, type Range } from './ranges.ts';

/** `*`, or only these; an empty list: none. */
export type Included<T> = '*' | readonly T[];

export interface InterceptionOptions {
  /** Whose connections are the sidecar's own. */
  readonly proxyUids: readonly Range[];
  readonly proxyGids: readonly Range[];
  /** Where the sidecar takes redirected connections. */
  readonly inboundPort: number;
  readonly outboundPort: number;
  readonly inboundPorts: Included<Range>;
  readonly excludeInboundPorts: readonly Range[];
  readonly outboundPorts: Included<Range>;
  readonly excludeOutboundPorts: readonly Range[];
  /** Of destinations, outbound. */
  readonly includeCidrs: Included<Cidr>;
  readonly excludeCidrs: readonly Cidr[];
  /** Both ways: where a connection comes in, and where it would leave. */
  readonly includeInterfaces: Included<string>;
  readonly excludeInterfaces: readonly string[];
  /** Of the program that connects, outbound. With both lists it is enough to be in one. */
  readonly includeUids: Included<Range>;
  readonly excludeUids: readonly Range[];
  readonly includeGids: Included<Range>;
  readonly excludeGids: readonly Range[];
}

/** All that is there must hold; of each list, one. */
export interface Match {
  /** Not addressed to this machine: it only passes through, as from a container to the world. */
  readonly forwarded?: true;
  readonly interfaces?: readonly string[];
  readonly cidrs?: readonly Cidr[];
  readonly ports?: readonly Range[];
  readonly uids?: readonly Range[];
  readonly gids?: readonly Range[];
}

/** Of new TCP connections only. */
export interface Rule {
  readonly match: Match;
  /** A port of the sidecar; `leave`: the connection goes where it was going. */
  readonly redirectTo: number | 'leave';
}

/** The first rule that matches decides; without one the connection is left alone. */
export interface Rules {
  readonly inbound: readonly Rule[];
  readonly outbound: readonly Rule[];
}

/** Who locks himself out of a machine cannot repair it. */
export const SSH: Range = { from: 22, to: 22 };
/** Listeners of sidecars and control planes: admin, outbound, inbound, REST, channel, metrics. */
export const OWN_PORTS: Range = { from: 15_000, to: 15_020 };

const LOOPBACK: readonly Cidr[] = [
  { family: 'ipv4', address: '127.0.0.0', prefix: 8 },
  { family: 'ipv6', address: '::1', prefix: 128 },
];

/** The order is the meaning: what is left alone comes first. Istio: istio-iptables. */
export const createRules = (options: InterceptionOptions): Rules => ({
  inbound: [
    leave({ forwarded: true }),
    ...leaveAny('interfaces', options.excludeInterfaces),
    leave({ ports: mergeRanges([...neverInbound(options), ...options.excludeInboundPorts]) }),
    ...redirect(options.inboundPort, {
      interfaces: options.includeInterfaces,
      ports: options.inboundPorts,
    }),
  ],
  outbound: [
    // First, so that no other flag can send the sidecar's connections to itself.
    ...leaveAny('uids', options.proxyUids),
    ...leaveAny('gids', options.proxyGids),
    leave({ cidrs: LOOPBACK }),
    ...leaveAny('uids', options.excludeUids),
    ...leaveAny('gids', options.excludeGids),
    ...leaveAny('interfaces', options.excludeInterfaces),
    ...leaveAny('cidrs', options.excludeCidrs),
    leave({ ports: mergeRanges([SSH, ...options.excludeOutboundPorts]) }),
    ...owners(options).flatMap(owner =>
      redirect(options.outboundPort, {
        interfaces: options.includeInterfaces,
        cidrs: options.includeCidrs,
        ports: options.outboundPorts,
        ...owner,
      }),
    ),
  ],
});

/** Inbound ports that no flag can ask for. */
export const neverInbound = ({
  inboundPort,
  outboundPort,
}: Pick<InterceptionOptions, 'inboundPort' | 'outboundPort'>): readonly Range[] => [
  SSH,
  OWN_PORTS,
  ...[inboundPort, outboundPort].map(port => ({ from: port, to: port })),
];

const leave = (match: Match): Rule => ({ match, redirectTo: 'leave' });

const leaveAny = (what: keyof Match, list: readonly unknown[]): readonly Rule[] =>
  list.length > 0 ? [leave({ [what]: list })] : [];

/** None where a list of what is included is empty. */
const redirect = (port: number, included: Readonly<Record<string, Included<unknown>>>): readonly Rule[] => {
  const lists = Object.entries(included).filter(([, list]) => list !== '*');
  return lists.some(([, list]) => list.length === 0) ? [] : [{ match: Object.fromEntries(lists), redirectTo: port }];
};

/** One for each way to be a program that is meant. */
const owners = ({
  includeUids,
  includeGids,
}: InterceptionOptions): readonly Readonly<Record<string, readonly Range[]>>[] => {
  if (includeUids === '*' && includeGids === '*') return [{}];
  return [
    ...(includeUids === '*' ? [] : [{ uids: includeUids }]),
    ...(includeGids === '*' ? [] : [{ gids: includeGids }]),
  ];
};
