/** Lines of the discovery stream, read: every message is checked, and bounded, before anyone sees it. */
import {
  type ClientMessage,
  HEALTHS,
  type Hello,
  type HelloPort,
  MAX_SUBSCRIPTIONS,
  type Report,
  type ServerMessage,
  type ServiceChange,
  type ServiceVersions,
  type Update,
} from './discovery.ts';
import {
  APP_PROTOCOLS,
  type AppProtocol,
  type HealthCheckView,
  type MtlsView,
  type PathNormalization,
} from './snapshot.ts';

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
      return { type: 'bye', confirm: message.confirm === true };
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
    case 'gone':
      return { type: 'gone' };
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
    ...(message.health === undefined ? {} : { health: parseHealth(message) }),
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

const MAX_REASON = 1_024;

const parseHealth = ({ health }: Fields): Report['health'] => {
  const known = HEALTHS.find(each => each === health);
  if (known === undefined) throw new MessageError(`health must be one of ${HEALTHS.join(', ')}`);
  return known;
};

const parseReport = (message: Fields): Report => {
  return {
    type: 'report',
    ready: message.ready === true,
    health: parseHealth(message),
    ...(message.reason === undefined ? {} : { reason: string(message, 'reason', MAX_REASON) }),
    clockSkewMs: integer(message, 'clockSkewMs'),
    certificateExpiresAtMs: integer(message, 'certificateExpiresAtMs'),
    services: integer(message, 'services'),
    endpoints: integer(message, 'endpoints'),
  };
};

/** One for each port of an app. */
const MAX_HEALTH_CHECKS = 100;

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
    // What it may be is for the validation to say: one that is not known is a nack.
    ...(message.pathNormalization === undefined
      ? {}
      : { pathNormalization: string(message, 'pathNormalization', 64) as PathNormalization }),
    ...(message.healthChecks === undefined
      ? {}
      : { healthChecks: array(message, 'healthChecks', MAX_HEALTH_CHECKS) as readonly HealthCheckView[] }),
    ...(message.mtls === undefined ? {} : { mtls: fields(message, 'mtls') as unknown as MtlsView }),
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
