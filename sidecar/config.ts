import { APP_PROTOCOLS, type AppProtocol } from '../api/snapshot.ts';
import { parseDuration } from '../common/duration.ts';
import { type AppProbe, parseAppProbes } from './health/app-probes.ts';

/** `host:port`; IPv6 hosts without their brackets. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface AppPort {
  readonly port: number;
  readonly protocol: AppProtocol;
}

/** One local port that stands for one service. */
export interface UpstreamListener extends Address {
  readonly service: string;
}

/** The sidecar's configuration (docs: configuration). Made by `readConfig` from the environment; flags of the same names win. */
export interface SidecarConfig {
  readonly service: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly appPorts: readonly AppPort[];
  readonly appAddress: string;
  /** Probes that the sidecar makes in the kubelet's place; `outrider inject` writes them. */
  readonly appProbes: readonly AppProbe[];
  /** Base URLs; empty: no control plane, the state folder is all there is. */
  readonly controlPlanes: readonly string[];
  readonly tokenFile: string;
  readonly caFile: string;
  readonly inbound: Address;
  readonly outbound: Address;
  /** `redirect`: the kernel redirects the app's connections to us (`outrider init`), and says where they were going. Istio: interceptionMode. */
  readonly interception: 'none' | 'redirect';
  readonly upstreams: readonly UpstreamListener[];
  readonly advertise: Address | undefined;
  readonly admin: Address;
  readonly metrics: Address;
  /** '' : a private temporary folder. */
  readonly stateDir: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly locality: string;
  readonly drainMs: number;
  readonly logLevel: string;
  readonly accessLog: 'off' | 'errors' | 'all';
  /** Threads that carry traffic, each with its own connections. Envoy: --concurrency. */
  readonly workers: number;
}

/** A wrong setting: which one, and what would be right. */
export interface ConfigProblem {
  readonly variable: string;
  readonly reason: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A Service and a Namespace are DNS labels: the dot stands between them. */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const ADDRESS = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):([0-9]{1,5})$/;
const LOG_LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const INTERCEPTIONS: readonly string[] = ['none', 'redirect'];
/** More than a sidecar can have use for. */
const MAX_WORKERS = 16;
const ACCESS_LOGS: readonly string[] = ['off', 'errors', 'all'];

/** `host:port` or `[ipv6]:port`, or undefined. */
export const parseAddress = (text: string): Address | undefined => {
  const [, ipv6, host, digits] = ADDRESS.exec(text) ?? [];
  const port = Number(digits);
  return digits === undefined || port > 65_535 ? undefined : { host: (ipv6 ?? host) as string, port };
};

export const formatAddress = (address: Address): string =>
  address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;

/** Reads every variable of docs/configuration.md; all problems are reported together. Empty values count as unset. */
export const readConfig = (
  env: Environment,
): { readonly config: SidecarConfig } | { readonly problems: readonly ConfigProblem[] } => {
  const problems: ConfigProblem[] = [];
  const bad = (variable: string, reason: string): void => {
    problems.push({ variable, reason });
  };
  const text = (variable: string, fallback: string): string => {
    const value = env[variable];
    return value === undefined || value === '' ? fallback : value;
  };
  const name = (variable: string, fallback: string, form = LABEL): string => {
    const value = text(variable, fallback);
    if (!form.test(value)) bad(variable, `must be a DNS name such as "web", not ${JSON.stringify(value)}`);
    return value;
  };
  const address = (variable: string, fallback: string): Address => {
    const value = text(variable, fallback);
    const parsed = parseAddress(value);
    if (parsed === undefined) bad(variable, `must be host:port, such as "${fallback}", not ${JSON.stringify(value)}`);
    return parsed ?? { host: '127.0.0.1', port: 0 };
  };
  const oneOf = <Choice extends string>(variable: string, fallback: Choice, choices: readonly string[]): Choice => {
    const value = text(variable, fallback);
    if (!choices.includes(value)) bad(variable, `must be one of ${choices.join(', ')}, not ${JSON.stringify(value)}`);
    return value as Choice;
  };
  const list = (variable: string): string[] =>
    text(variable, '')
      .split(',')
      .map(part => part.trim())
      .filter(part => part !== '');

  const each = <Item>(
    variable: string,
    parse: (part: string) => Item | undefined,
    hint: (part: string) => string,
  ): Item[] => {
    const items: Item[] = [];
    for (const part of list(variable)) {
      const item = parse(part);
      if (item === undefined) bad(variable, hint(part));
      else items.push(item);
    }
    return items;
  };

  const service = name('OUTRIDER_SERVICE', '');
  const config: SidecarConfig = {
    service,
    namespace: name('OUTRIDER_NAMESPACE', 'default'),
    serviceAccount: name('OUTRIDER_SERVICE_ACCOUNT', service, SUBDOMAIN),
    appPorts: each('OUTRIDER_APP_PORTS', parseAppPort, APP_PORTS_HINT),
    appAddress: text('OUTRIDER_APP_ADDRESS', '127.0.0.1'),
    appProbes: appProbes(text('OUTRIDER_APP_PROBES', '{}'), bad),
    controlPlanes: controlPlanes(text('OUTRIDER_CONTROL_PLANE', 'https://127.0.0.1:15012'), bad),
    tokenFile: text('OUTRIDER_TOKEN_FILE', ''),
    caFile: text('OUTRIDER_CA_FILE', ''),
    inbound: address('OUTRIDER_INBOUND', '[::]:15006'),
    outbound: address('OUTRIDER_OUTBOUND', '127.0.0.1:15001'),
    interception: oneOf('OUTRIDER_INTERCEPTION', 'none', INTERCEPTIONS),
    upstreams: each('OUTRIDER_UPSTREAMS', parseUpstream, UPSTREAMS_HINT),
    advertise: text('OUTRIDER_ADVERTISE', '') === '' ? undefined : address('OUTRIDER_ADVERTISE', '10.0.0.7:15006'),
    admin: address('OUTRIDER_ADMIN', '127.0.0.1:15000'),
    metrics: address('OUTRIDER_METRICS', '0.0.0.0:15020'),
    stateDir: text('OUTRIDER_STATE_DIR', ''),
    labels: labels(list('OUTRIDER_LABELS'), bad),
    locality: text('OUTRIDER_LOCALITY', ''),
    drainMs: drainMs(text('OUTRIDER_DRAIN', '30s'), bad),
    logLevel: oneOf('OUTRIDER_LOG_LEVEL', 'info', LOG_LEVELS),
    accessLog: oneOf('OUTRIDER_ACCESS_LOG', 'errors', ACCESS_LOGS),
    workers: workers(text('OUTRIDER_WORKERS', '1'), bad),
  };
  if (config.workers > 1 && config.interception !== 'none')
    bad(
      'OUTRIDER_WORKERS',
      'must be 1 where OUTRIDER_INTERCEPTION is redirect: a worker does not know what others dial',
    );
  return problems.length > 0 ? { problems } : { config };
};

type Bad = (variable: string, reason: string) => void;

const APP_PORTS_HINT = (part: string): string =>
  `must be ports such as "8080" or "http=8080,grpc=50051" (protocols: ${APP_PROTOCOLS.join(', ')}), not ${JSON.stringify(part)}`;
const UPSTREAMS_HINT = (part: string): string =>
  `must be NAME=HOST:PORT, such as "payments=127.0.0.1:9101", not ${JSON.stringify(part)}`;

const parseAppPort = (part: string): AppPort | undefined => {
  const [left, right, ...more] = part.split('=');
  const protocol = right === undefined ? 'http' : APP_PROTOCOLS.find(known => known === left);
  const digits = right ?? left ?? '';
  const port = Number(digits);
  return protocol === undefined || more.length > 0 || !/^[0-9]{1,5}$/.test(digits) || port < 1 || port > 65_535
    ? undefined
    : { port, protocol };
};

const parseUpstream = (part: string): UpstreamListener | undefined => {
  const at = part.indexOf('=');
  const address = parseAddress(part.slice(at + 1));
  const service = part.slice(0, at).toLowerCase();
  return at < 1 || address === undefined || !/^[a-z0-9.-]+(:[0-9]{1,5})?$/.test(service)
    ? undefined
    : { ...address, service };
};

const controlPlanes = (value: string, bad: Bad): string[] => {
  if (value === 'none') return [];
  const urls = value.split(',').map(url => url.trim());
  for (const url of urls) {
    if (!URL.canParse(url) || new URL(url).protocol !== 'https:') {
      bad('OUTRIDER_CONTROL_PLANE', `must be https URLs separated by commas, or "none", not ${JSON.stringify(url)}`);
    }
  }
  return urls;
};

const labels = (parts: readonly string[], bad: Bad): Record<string, string> => {
  const result: Record<string, string> = {};
  for (const part of parts) {
    const at = part.indexOf('=');
    if (at < 1) bad('OUTRIDER_LABELS', `must be key=value pairs separated by commas, not ${JSON.stringify(part)}`);
    else result[part.slice(0, at)] = part.slice(at + 1);
  }
  return result;
};

const drainMs = (value: string, bad: Bad): number => {
  const ms = parseDuration(value);
  if (ms === undefined) bad('OUTRIDER_DRAIN', `must be a duration such as "30s", not ${JSON.stringify(value)}`);
  return ms ?? 30_000;
};

const appProbes = (value: string, bad: Bad): readonly AppProbe[] => {
  const parsed = parseAppProbes(value);
  if (typeof parsed !== 'string') return parsed;
  bad('OUTRIDER_APP_PROBES', parsed);
  return [];
};

const workers = (value: string, bad: Bad): number => {
  const count = /^[0-9]{1,2}$/.test(value) ? Number(value) : 0;
  if (count < 1 || count > MAX_WORKERS)
    bad('OUTRIDER_WORKERS', `must be a whole number from 1 to ${MAX_WORKERS}, not ${JSON.stringify(value)}`);
  return count;
};
