/**
 * What the data plane knows of the control plane: snapshots that change by themselves, and where a name leads. Everything
 * else (streams, certificates, files) is behind it. Without a control plane the state folder's `snapshot.json` is all there is.
 */
import { randomBytes } from 'node:crypto';
import type { BaseLogger } from 'pino';
import { INSTANCE_SUFFIX } from '../../api/discovery.ts';
import type { Snapshot } from '../../api/snapshot.ts';
import type { SnapshotProblem } from '../../api/validate-snapshot.ts';
import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { Watch } from '../../common/watch.ts';
import type { CertificateStore } from '../identity/certificate-store.ts';
import { ControlPlaneStream } from './control-plane-stream.ts';
import { IdentityKeeper } from './identity-keeper.ts';
import { requestCertificate } from './request-certificate.ts';
import { requestTrustBundle } from './request-trust-bundle.ts';
import { indexServices } from './service-index.ts';
import { SnapshotStore, type ValidateSnapshot } from './snapshot-store.ts';
import type { StateFolder } from './state-folder.ts';
import { type OpenStream, type SidecarDescription, Subscriber } from './subscriber.ts';
import { SubscriptionKeys } from './subscription-key.ts';
import { type Answer, Subscriptions, type WaitResult } from './subscriptions.ts';
import { TrustBundleKeeper } from './trust-bundle-keeper.ts';

export type { WaitResult } from './subscriptions.ts';

/** Owned by the sidecar's first thread; lives as long as the sidecar. */
export interface Discovery extends AsyncDisposable {
  readonly snapshots: Watch<Snapshot>;
  /** There is a snapshot and, with a control plane, a certificate. */
  readonly ready: boolean;
  /**
   * Whether the present snapshot answers this name (any form, with or without a port) or `address:port`. `unknown`: ask with
   * `wait`. Counts as a use, which keeps the subscription; cheap, but for new heads and connections rather than each request.
   */
  lookup(target: string): Answer | 'unknown';
  /**
   * Asks the control plane. Calls back once, possibly before it returns, after at most 1 s (30 s before the first snapshot);
   * with `known` the present snapshot holds the answer. Returns what ends the wait.
   */
  wait(target: string, callback: (result: WaitResult) => void): () => void;
  /** Loads `snapshot.json` again (SIGHUP); only without a control plane. */
  reload(): void;
  /** Readiness or health may have changed: the control plane is told. */
  report(): void;
  /** Leaves the registry; resolves when callers know it and send nothing new, at the latest after `withinMs`. */
  drain(withinMs: number): Promise<void>;
  status(): DiscoveryStatus;
}

/** What a data plane needs of it; those of further workers ask the first thread. */
export type ServiceNames = Pick<Discovery, 'snapshots' | 'lookup' | 'wait'>;

export interface DiscoveryStatus {
  /** False: there is no control plane, the state folder is all there is. */
  readonly controlled: boolean;
  readonly connected: boolean;
  /** Base URL of the control plane that it is connected to; ''. */
  readonly controlPlane: string;
  /** Name of its Sidecar object; ''. */
  readonly sidecar: string;
  readonly configVersion: string;
  readonly endpointVersion: string;
  /** How old the configuration may be: since the control plane last said that it is current; undefined: never. */
  readonly configAgeMs: number | undefined;
  readonly clockSkewMs: number | undefined;
  /** More than 30 s: certificates and tokens may be refused. */
  readonly isClockSkewed: boolean;
  readonly certificateNotAfterMs: number | undefined;
  readonly subscriptions: number;
  /** Why the last connection or certificate failed; ''. */
  readonly lastError: string;
  /** The update that could not be applied, while that stands. */
  readonly refused: SnapshotProblem | undefined;
}

export interface DiscoveryOptions {
  readonly folder: StateFolder;
  readonly validate: ValidateSnapshot;
  /** Empty: no control plane. */
  readonly controlPlanes: readonly string[];
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly tokenFile: string;
  readonly caFile: string;
  readonly certificates: CertificateStore;
  readonly description: Omit<SidecarDescription, 'instance'>;
  /** Names that are subscribed to from the start and for good: `OUTRIDER_UPSTREAMS`. */
  readonly upstreams: readonly string[];
  /** Whether requests or connections went to this `service.namespace` since the last time this was asked. */
  readonly inUse: (service: string) => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: BaseLogger;
  /** For tests. Default: HTTP/2 to the control plane. */
  readonly open?: OpenStream;
}

const SKEWED_MS = 30_000;
const INSTANCE_FILE = 'instance';

/** Starts at once, in the background: what the state folder holds is there when this returns. */
export const startDiscovery = (options: DiscoveryOptions): Discovery => {
  const { folder, validate, clock, log } = options;
  const snapshots = new SnapshotStore(folder, validate, clock, log);
  snapshots.load();
  return options.controlPlanes.length === 0 ? fromFile(snapshots, options) : fromControlPlane(snapshots, options);
};

const NO_CONTROL_PLANE = {
  controlled: false,
  connected: false,
  controlPlane: '',
  sidecar: '',
  configAgeMs: undefined,
  clockSkewMs: undefined,
  isClockSkewed: false,
  subscriptions: 0,
  lastError: '',
  refused: undefined,
} as const;

const fromFile = (store: SnapshotStore, { namespace, certificates }: DiscoveryOptions): Discovery => {
  const { snapshots } = store;
  const index = followIndex(snapshots);
  const keys = new SubscriptionKeys(namespace);
  store.followFile();
  certificates.load();
  const lookup = (target: string): Answer => (index.has(keys.of(target)) ? 'known' : 'not-in-mesh');
  return {
    snapshots,
    get ready() {
      return store.loaded;
    },
    lookup,
    wait: (target, callback) => {
      callback(lookup(target));
      return () => {};
    },
    reload: () => {
      store.load();
      certificates.load();
    },
    report: () => {},
    drain: async () => {},
    status: () => ({
      ...NO_CONTROL_PLANE,
      ...versions(snapshots.value),
      certificateNotAfterMs: certificates.current?.notAfterMs,
    }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
};

const fromControlPlane = (store: SnapshotStore, options: DiscoveryOptions): Discovery => {
  const { namespace, certificates, clock, controlPlanes, random, log, inUse } = options;
  const { snapshots } = store;
  const index = followIndex(snapshots);
  const keys = new SubscriptionKeys(namespace);
  const subscriptions = new Subscriptions({
    clock,
    inUse,
    started: () => store.loaded,
    send: (type, names) => subscriber.send(type, names),
  });
  for (const target of options.upstreams) {
    const name = keys.of(target);
    if (name !== undefined) subscriptions.add(name, undefined, true);
  }
  // What the last run used; what nobody uses again is given up after a while.
  // By name; what only an address leads to, by its address.
  for (const [name, service] of index.entries())
    if ((name === service) !== service.includes(`${INSTANCE_SUFFIX}.`)) subscriptions.add(name, service, false);
  const instance = keepInstanceName(options);
  const subscriber: Subscriber = new Subscriber({
    controlPlanes,
    description: { ...options.description, instance: instance.name },
    certificates,
    snapshots: store,
    subscriptions,
    open: options.open ?? ((url, tls, handlers) => ControlPlaneStream.open(url, tls, handlers)),
    clock,
    random,
    log,
  });
  const identity = new IdentityKeeper({ ...options, request: requestCertificate });
  const roots = new TrustBundleKeeper({ ...options, request: requestTrustBundle, onUntrusted: () => identity.renew() });
  subscriber.start();
  identity.start();
  roots.start();
  return {
    snapshots,
    get ready() {
      return store.loaded && certificates.current !== undefined;
    },
    lookup: target => {
      const name = keys.of(target);
      if (name === undefined) return 'not-in-mesh';
      const answer = subscriptions.lookup(name);
      // What came as a backend of another service is complete, and subscribed to from its first use by name.
      if (answer !== 'unknown' || !index.has(name)) return answer;
      subscriptions.ask(name);
      return 'known';
    },
    wait: (target, callback) => {
      const name = keys.of(target);
      if (name !== undefined) return subscriptions.wait(name, callback);
      callback('not-in-mesh');
      return () => {};
    },
    reload: () => {},
    report: () => subscriber.report(),
    drain: withinMs => subscriber.bye(withinMs),
    status: () => {
      const { syncedMs, clockSkewMs = identity.clockSkewMs, lastError, ...connection } = subscriber.status;
      return {
        controlled: true,
        ...connection,
        ...versions(snapshots.value),
        configAgeMs: syncedMs === undefined ? undefined : clock.nowMs() - syncedMs,
        clockSkewMs,
        isClockSkewed: Math.abs(clockSkewMs ?? 0) > SKEWED_MS,
        certificateNotAfterMs: certificates.current?.notAfterMs,
        subscriptions: subscriptions.names.length,
        lastError: identity.lastError || lastError,
      };
    },
    [Symbol.asyncDispose]: async () => {
      identity[Symbol.dispose]();
      roots[Symbol.dispose]();
      subscriber.close();
      subscriptions[Symbol.dispose]();
      await instance.written;
      await store[Symbol.asyncDispose]();
    },
  };
};

const versions = ({ configVersion, endpointVersion }: Snapshot) => ({ configVersion, endpointVersion });

/** The index of the present snapshot, made once for each. */
const followIndex = (snapshots: Watch<Snapshot>) => {
  let index = indexServices(snapshots.value);
  snapshots.subscribe(snapshot => {
    index = indexServices(snapshot);
  });
  return {
    has: (name: string | undefined): boolean => name !== undefined && index.has(name),
    entries: () => index.entries(),
  };
};

/** The same after a restart that keeps the state folder. `written` resolves when it stands there, or cannot. */
const keepInstanceName = ({
  folder,
  log,
}: DiscoveryOptions): { readonly name: string; readonly written: Promise<void> } => {
  const kept = folder.read(INSTANCE_FILE)?.trim();
  if (kept !== undefined && /^[a-z0-9]{1,32}$/.test(kept)) return { name: kept, written: Promise.resolve() };
  const name = randomBytes(5).toString('hex');
  const written = folder.write(INSTANCE_FILE, `${name}\n`).catch((error: unknown) => {
    log.warn({ err: error }, 'the name of this instance cannot be kept; a restart will have another one');
  });
  return { name, written };
};
