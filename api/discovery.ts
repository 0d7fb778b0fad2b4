/**
 * What a sidecar and the control plane say to each other on `POST /v1/discovery`: one JSON object a line, both ways.
 *
 *   sidecar                                     control plane
 *   hello {who, where, what it holds} ────────▶
 *                                     ◀──────── welcome {its name, server time}
 *                                     ◀──────── update 1 {what differs from what it holds}
 *   ack 1 | nack 1 {path, reason} ────────────▶
 *   subscribe | unsubscribe {names} ──────────▶
 *   report {readiness, health, clock} ────────▶
 *   heartbeat ◀───────────────────────────────▶ heartbeat
 *   bye ──────────────────────────────────────▶
 *                                     ◀──────── error {reason}, and the stream ends
 *
 * Versions are made from the content, so a sidecar resumes at any control plane, also at one that was restarted. One update
 * is under way at a time; what changes meanwhile is in the next one, as the newest state. Members that are not known are
 * ignored: releases N and N−1 understand each other.
 */
import { APP_PROTOCOLS, type AppProtocol, type EndpointView, type ServiceView, type Snapshot } from './snapshot.ts';

export const DISCOVERY_PROTOCOL = 1;
/** Each side sends something at least this often … */
export const HEARTBEAT_MS = 5_000;
/** … and takes the other one for dead after this long without a line. */
export const DEAD_MS = 15_000;
/** Longest line that a control plane accepts. */
export const MAX_CLIENT_LINE_BYTES = 1_048_576;
/** Longest line that a sidecar accepts: one service with all its endpoints fits into it. */
export const MAX_SERVER_LINE_BYTES = 33_554_432;
/** Names and addresses that one sidecar may have asked for. */
export const MAX_SUBSCRIPTIONS = 2_000;

/**
 * The name of a view of one instance, which is what its own address leads to: its Workload's name and this. No Service has
 * a dot in its name.
 */
export const INSTANCE_SUFFIX = '.workload';

/** Versions of one service: of its routes and policies, and of its endpoints. */
export type ServiceVersions = readonly [config: string, endpoints: string];

export interface HelloPort {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: AppProtocol;
}

/** The first line. Namespace and service account come from the certificate. */
export interface Hello {
  readonly type: 'hello';
  readonly protocol: number;
  readonly release: string;
  /** Tells the instances of a service apart; the same after a restart that keeps the state folder. Lower-case letters and digits. */
  readonly instance: string;
  /** '' for a sidecar that only calls. */
  readonly service: string;
  readonly ports: readonly HelloPort[];
  readonly labels: Readonly<Record<string, string>>;
  /** `region/zone`, or ''. */
  readonly locality: string;
  /** `host:port` that peers dial. */
  readonly advertise: string;
  /** What it runs on; '' and empty at the first start. */
  readonly have: {
    readonly configVersion: string;
    readonly endpointVersion: string;
    readonly services: Readonly<Record<string, ServiceVersions>>;
  };
  /** `service.namespace`, or `address:port`. */
  readonly subscriptions: readonly string[];
}

export interface Subscribe {
  readonly type: 'subscribe' | 'unsubscribe';
  readonly names: readonly string[];
}

export interface Ack {
  readonly type: 'ack';
  readonly update: number;
}

export interface Nack {
  readonly type: 'nack';
  readonly update: number;
  /** Where in the snapshot: `services[0].ports[1].routes[0]`. */
  readonly path: string;
  readonly reason: string;
}

/** Sent after each change, and with the heartbeats' pace while something moves. */
export interface Report {
  readonly type: 'report';
  readonly ready: boolean;
  readonly health: 'Healthy' | 'Unhealthy' | 'Draining';
  /** Its clock minus the server's. */
  readonly clockSkewMs: number;
  /** Milliseconds since 1970. */
  readonly certificateExpiresAtMs: number;
  /** Services and endpoints in its snapshot. */
  readonly services: number;
  readonly endpoints: number;
}

export interface Heartbeat {
  readonly type: 'heartbeat';
  /** Sender's wall clock, milliseconds since 1970. */
  readonly wallMs: number;
}

/** The sidecar leaves: no new requests for it, at once. */
export interface Bye {
  readonly type: 'bye';
}

export type ClientMessage = Hello | Subscribe | Ack | Nack | Report | Heartbeat | Bye;

export interface Welcome {
  readonly type: 'welcome';
  /** Name of its Sidecar (and Workload) object. */
  readonly sidecar: string;
  readonly wallMs: number;
  readonly release: string;
}

/** What differs from what the sidecar holds. Large ones come in several lines; the last one has `done`. */
export interface Update {
  readonly type: 'update';
  /** Counts the updates of this stream, from 1. */
  readonly update: number;
  readonly done: boolean;
  /** Of the snapshot after the update. */
  readonly configVersion: string;
  readonly endpointVersion: string;
  readonly trustDomain: string;
  readonly outboundPolicy: Snapshot['outboundPolicy'];
  readonly changed: readonly ServiceChange[];
  /** `service.namespace` */
  readonly removed: readonly string[];
  /** Subscription to the `service.namespace` that it leads to; null: not in the mesh. Only what is new. */
  readonly answers: Readonly<Record<string, string | null>>;
}

/** A part that is absent stays as it is. */
export interface ServiceChange {
  /** `service.namespace` */
  readonly service: string;
  readonly versions: ServiceVersions;
  readonly config?: Omit<ServiceView, 'endpoints'>;
  readonly endpoints?: readonly EndpointView[];
}

/** The stream ends; `retry` false: with the same hello it would end again. */
export interface Refusal {
  readonly type: 'error';
  readonly reason: string;
  readonly retry: boolean;
}

export type ServerMessage = Welcome | Update | Heartbeat | Refusal;

/** A line that is not a message. The text is a sentence for the other side. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
}

type Fields = Readonly<Record<string, unknown>>;

/** @throws MessageError */
export const parseClientMessage = (line: string): ClientMessage => {
  const message = parseLine(line);
  switch (message.type) {
    case 'hello':
      return parseHello(message);
    case 'subscribe':
    case 'unsubscribe':
      return { type: message.type, names: names(message, 'names') };
    case 'ack':
      return { type: 'ack', update: integer(message, 'update') };
    case 'nack':
      return {
        type: 'nack',
        update: integer(message, 'update'),
        path: string(message, 'path', 1_024),
        reason: string(message, 'reason', 1_024),
      };
    case 'report':
      return parseReport(message);
    case 'heartbeat':
      return { type: 'heartbeat', wallMs: integer(message, 'wallMs') };
    case 'bye':
      return { type: 'bye' };
    default:
      throw new MessageError(`type must be that of a message, not ${JSON.stringify(message.type)?.slice(0, 40)}`);
  }
};

/** Checks the frame; the snapshot that an update leads to is validated as a whole. @throws MessageError */
export const parseServerMessage = (line: string): ServerMessage => {
  const message = parseLine(line);
  switch (message.type) {
    case 'welcome':
      return {
        type: 'welcome',
        sidecar: string(message, 'sidecar', 253),
        wallMs: integer(message, 'wallMs'),
        release: string(message, 'release', 64),
      };
    case 'update':
      return parseUpdate(message);
    case 'heartbeat':
      return { type: 'heartbeat', wallMs: integer(message, 'wallMs') };
    case 'error':
      return { type: 'error', reason: string(message, 'reason', 4_096), retry: message.retry !== false };
    default:
      throw new MessageError(`type must be that of a message, not ${JSON.stringify(message.type)?.slice(0, 40)}`);
  }
};

const parseHello = (message: Fields): Hello => {
  const have = fields(message, 'have');
  const services = fields(have, 'services');
  for (const [name, versions] of Object.entries(services))
    if (!Array.isArray(versions) || typeof versions[0] !== 'string' || typeof versions[1] !== 'string')
      throw new MessageError(`have.services[${JSON.stringify(name)}] must be two versions`);
  return {
    type: 'hello',
    protocol: integer(message, 'protocol'),
    release: string(message, 'release', 64),
    instance: matching(message, 'instance', /^[a-z0-9]{1,32}$/, '1 to 32 lower-case letters and digits'),
    service: matching(message, 'service', /^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$/, 'the name of a service, or ""'),
    ports: array(message, 'ports', 100).map((port, i) => parsePort(port, `ports[${i}]`)),
    labels: parseLabels(message),
    locality: string(message, 'locality', 128),
    advertise: matching(message, 'advertise', ADVERTISE, 'host:port'),
    have: {
      configVersion: string(have, 'configVersion', 64),
      endpointVersion: string(have, 'endpointVersion', 64),
      services: services as Readonly<Record<string, ServiceVersions>>,
    },
    subscriptions: names(message, 'subscriptions'),
  };
};

const ADVERTISE = /^(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?):[1-9]\d{0,4}$/;

const parsePort = (value: unknown, at: string): HelloPort => {
  const port = asFields(value, at);
  const number = integer(port, 'port');
  if (number < 1 || number > 65_535) throw new MessageError(`${at}.port must be from 1 to 65535`);
  const { name, protocol } = port;
  if (name !== undefined && (typeof name !== 'string' || !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)))
    throw new MessageError(`${at}.name must be lower-case letters, digits and "-"`);
  if (protocol !== undefined && !APP_PROTOCOLS.includes(protocol as AppProtocol))
    throw new MessageError(`${at}.protocol must be one of ${APP_PROTOCOLS.join(', ')}`);
  return {
    ...(name === undefined ? {} : { name }),
    port: number,
    ...(protocol === undefined ? {} : { protocol: protocol as AppProtocol }),
  };
};

const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

const parseLabels = (message: Fields): Readonly<Record<string, string>> => {
  const labels = Object.entries(fields(message, 'labels'));
  if (labels.length > 64) throw new MessageError('labels must be at most 64');
  for (const [name, value] of labels)
    if (!LABEL_KEY.test(name) || typeof value !== 'string' || !LABEL_VALUE.test(value))
      throw new MessageError(
        `labels must be names and values of at most 63 characters; ${JSON.stringify(name)} is not`,
      );
  return Object.fromEntries(labels) as Readonly<Record<string, string>>;
};

const parseReport = (message: Fields): Report => {
  const { health } = message;
  if (health !== 'Healthy' && health !== 'Unhealthy' && health !== 'Draining')
    throw new MessageError('health must be Healthy, Unhealthy or Draining');
  return {
    type: 'report',
    ready: message.ready === true,
    health,
    clockSkewMs: integer(message, 'clockSkewMs'),
    certificateExpiresAtMs: integer(message, 'certificateExpiresAtMs'),
    services: integer(message, 'services'),
    endpoints: integer(message, 'endpoints'),
  };
};

const parseUpdate = (message: Fields): Update => {
  const changed = array(message, 'changed', Number.MAX_SAFE_INTEGER);
  for (const [i, each] of changed.entries()) {
    const change = asFields(each, `changed[${i}]`);
    string(change, 'service', 600);
    const versions = array(change, 'versions', 2);
    if (typeof versions[0] !== 'string' || typeof versions[1] !== 'string')
      throw new MessageError(`changed[${i}].versions must be two versions`);
    if (change.config !== undefined) fields(change, 'config');
    if (change.endpoints !== undefined) array(change, 'endpoints', Number.MAX_SAFE_INTEGER);
  }
  const answers = fields(message, 'answers');
  for (const answer of Object.values(answers))
    if (answer !== null && typeof answer !== 'string') throw new MessageError('answers must be names or null');
  return {
    type: 'update',
    update: integer(message, 'update'),
    done: message.done === true,
    configVersion: string(message, 'configVersion', 64),
    endpointVersion: string(message, 'endpointVersion', 64),
    trustDomain: string(message, 'trustDomain', 255),
    outboundPolicy: message.outboundPolicy === 'ALLOW_ANY' ? 'ALLOW_ANY' : 'REGISTRY_ONLY',
    changed: changed as readonly ServiceChange[],
    removed: strings(message, 'removed', Number.MAX_SAFE_INTEGER, 600),
    answers: answers as Update['answers'],
  };
};

const parseLine = (line: string): Fields => {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new MessageError('each line must be one JSON object');
  }
  return asFields(value, 'the line');
};

const asFields = (value: unknown, at: string): Fields => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new MessageError(`${at} must be a JSON object`);
  return value as Fields;
};

const fields = (message: Fields, name: string): Fields => asFields(message[name], name);

const array = (message: Fields, name: string, most: number): readonly unknown[] => {
  const value = message[name];
  if (!Array.isArray(value) || value.length > most)
    throw new MessageError(`${name} must be a list of at most ${most} entries`);
  return value;
};

const string = (message: Fields, name: string, most: number): string => {
  const value = message[name];
  if (typeof value !== 'string' || value.length > most)
    throw new MessageError(`${name} must be a text of at most ${most} characters`);
  return value;
};

const strings = (message: Fields, name: string, most: number, longest: number): readonly string[] => {
  const values = array(message, name, most);
  if (!values.every((value): value is string => typeof value === 'string' && value.length <= longest))
    throw new MessageError(`${name} must be texts of at most ${longest} characters`);
  return values;
};

/** Subscriptions: DNS names and addresses with a port both fit. */
const names = (message: Fields, name: string): readonly string[] => strings(message, name, MAX_SUBSCRIPTIONS, 300);

const matching = (message: Fields, name: string, pattern: RegExp, expected: string): string => {
  const value = message[name];
  if (typeof value !== 'string' || !pattern.test(value)) throw new MessageError(`${name} must be ${expected}`);
  return value;
};

const integer = (message: Fields, name: string): number => {
  const value = message[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new MessageError(`${name} must be an integer`);
  return value;
};
