/** What one sidecar should hold, and how it differs from what it holds. Pure. */
import type { ServiceVersions } from '../../api/discovery.ts';
import type { HealthCheckView, MtlsView, PathNormalization, Snapshot } from '../../api/snapshot.ts';
import { contentVersion } from '../../common/content-version.ts';
import type { CompiledService } from '../translate/compile-service.ts';
import { compileHealthChecks, type OwnWorkload } from '../translate/health-checks.ts';
import { compileMtls } from '../translate/mtls.ts';
import { parseAddress, type Translator } from '../translate/translator.ts';
import { healthChecksKey, mtlsKeys } from '../translate/world.ts';

export interface Target {
  readonly configVersion: string;
  readonly endpointVersion: string;
  readonly trustDomain: string;
  readonly outboundPolicy: Snapshot['outboundPolicy'];
  readonly pathNormalization: PathNormalization;
  /** Of the sidecar's own app. */
  readonly healthChecks: readonly HealthCheckView[];
  /** Who may connect to that app; undefined: the default. */
  readonly mtls: MtlsView | undefined;
  /** By `service.namespace`. */
  readonly services: ReadonlyMap<string, CompiledService>;
  /** By subscription. */
  readonly answers: ReadonlyMap<string, string | null>;
  /** Keys of services and hosts (`@host`) whose change may change this target. */
  readonly interests: ReadonlySet<string>;
}

/** What a sidecar has confirmed. */
export interface Held {
  readonly configVersion: string;
  readonly endpointVersion: string;
  readonly services: ReadonlyMap<string, ServiceVersions>;
  readonly answers: Map<string, string | null>;
}

/**
 * The services that the subscriptions lead to, and all that their routes send to, so that every reference resolves; and the checks of the app
 * beside the sidecar (`own`; undefined: there is none). One that starts (`isFresh`) is not told "not in the mesh" before the mesh has had the time to register.
 */
export const computeTarget = (
  translator: Translator,
  subscriptions: Iterable<string>,
  callers: string,
  own?: OwnWorkload,
  isFresh = false,
): Target => {
  const services = new Map<string, CompiledService>();
  const answers = new Map<string, string | null>();
  const interests = new Set<string>();
  const open: string[] = [];
  for (const subscription of subscriptions) {
    const address = parseAddress(subscription);
    interests.add(address ? `@${address.host}` : subscription);
    const answer = translator.resolve(subscription);
    if (answer === null && isFresh && translator.mayStillCome(subscription)) continue;
    answers.set(subscription, answer);
    if (answer !== null) open.push(answer);
  }
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (services.has(key)) continue;
    interests.add(key);
    const view = translator.view(key, callers);
    if (view === undefined) continue;
    services.set(key, view);
    open.push(...view.backends);
  }
  if (own) for (const key of [healthChecksKey(own.namespace), ...mtlsKeys(own.namespace)]) interests.add(key);
  const healthChecks = own ? compileHealthChecks(translator.world, own) : [];
  const mtls = own && compileMtls(translator.world, own);
  const ofOwn = `${healthChecks.length > 0 ? `${JSON.stringify(healthChecks)};` : ''}${mtls ? `${JSON.stringify(mtls)};` : ''}`;
  const { trustDomain, outboundPolicy, pathNormalization } = translator;
  const keys = [...services.keys()].sort();
  const version = (half: 0 | 1): string => keys.map(key => `${key}=${services.get(key)?.versions[half]}`).join();
  return {
    configVersion: contentVersion(`${trustDomain};${outboundPolicy};${pathNormalization};${ofOwn}${version(0)}`),
    endpointVersion: contentVersion(version(1)),
    trustDomain,
    outboundPolicy,
    pathNormalization,
    healthChecks,
    mtls,
    services,
    answers,
    interests,
  };
};

export interface Delta {
  readonly changed: readonly ChangedService[];
  readonly removed: readonly string[];
  readonly answers: Readonly<Record<string, string | null>>;
}

export interface ChangedService {
  readonly service: CompiledService;
  readonly config: boolean;
  readonly endpoints: boolean;
}

export const diff = (target: Target, held: Held): Delta => {
  const changed: ChangedService[] = [];
  for (const [key, service] of target.services) {
    const old = held.services.get(key);
    const config = old?.[0] !== service.versions[0];
    const endpoints = old?.[1] !== service.versions[1];
    if (config || endpoints) changed.push({ service, config, endpoints });
  }
  const removed = [...held.services.keys()].filter(key => !target.services.has(key));
  const answers: [string, string | null][] = [];
  for (const [subscription, answer] of target.answers)
    if (held.answers.get(subscription) !== answer) answers.push([subscription, answer]);
  return { changed, removed, answers: Object.fromEntries(answers) };
};

/** True when there is something to send. */
export const differs = (target: Target, held: Held, delta: Delta): boolean =>
  target.configVersion !== held.configVersion ||
  target.endpointVersion !== held.endpointVersion ||
  delta.changed.length > 0 ||
  delta.removed.length > 0 ||
  Object.keys(delta.answers).length > 0;

/** What the sidecar holds once it has confirmed the target. */
export const asHeld = (target: Target): Held => ({
  configVersion: target.configVersion,
  endpointVersion: target.endpointVersion,
  services: new Map([...target.services].map(([key, { versions }]) => [key, versions])),
  answers: new Map(target.answers),
});
