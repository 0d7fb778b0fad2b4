/** The control plane: builds every owner in order, and closes them in reverse. */

import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { BaseLogger } from 'pino';
import { DEFAULT_MESH_CONFIG, MESH_CONFIG, MESH_CONFIG_NAME } from '../api/mesh-config.ts';
import { DEFAULT_NAMESPACE, NAMESPACE, SYSTEM_NAMESPACE } from '../api/namespace.ts';
import type { ApiObject } from '../api/object.ts';
import type { ResourceKind } from '../api/resource-kind.ts';
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { openIdentities } from './identity/identities.ts';
import { MetricsServer } from './metrics-server.ts';
import { ChannelServer } from './push/channel-server.ts';
import { PushServer } from './push/push-server.ts';
import { openAdminToken, writeKubeconfig } from './rest/admin-token.ts';
import { RestServer } from './rest/rest-server.ts';
import { type ResourceStore, StoreError } from './store/resource-store.ts';
import { SqliteStore } from './store/sqlite-store.ts';

/** `port` 0: a free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface ControlPlaneOptions {
  /** Made (0700) when missing. */
  readonly dataDir: string;
  readonly rest: ListenAddress;
  readonly channel: ListenAddress;
  readonly metrics: ListenAddress;
  readonly trustDomain: string;
  /** Of sidecars. */
  readonly certificateLifetimeMs: number;
  /** Names and addresses beside those of this machine by which clients reach it. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly release: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: BaseLogger;
}

/** Owned by `main.ts`; lives as long as the process. */
export class ControlPlane implements AsyncDisposable {
  readonly #owners: AsyncDisposableStack;
  readonly rest: AddressInfo;
  readonly channel: AddressInfo;
  readonly metrics: AddressInfo;

  private constructor(owners: AsyncDisposableStack, rest: AddressInfo, channel: AddressInfo, metrics: AddressInfo) {
    this.#owners = owners;
    this.rest = rest;
    this.channel = channel;
    this.metrics = metrics;
  }

  /** @throws an Error with a sentence: the data directory is in use or broken, or an address is taken. */
  static async start(options: ControlPlaneOptions): Promise<ControlPlane> {
    const { dataDir, trustDomain, clock, random, log, release } = options;
    await using owners = new AsyncDisposableStack();
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    // The store first: its lock keeps a second control plane from touching anything else in the directory.
    const store = owners.use(new SqliteStore({ path: join(dataDir, 'store.db'), clock }));
    await createWhatIsAlwaysThere(store);
    const identities = owners.use(openIdentities({ ...options, store }));
    const { mesh, serverCertificate } = identities;
    const push = owners.use(await PushServer.start({ store, trustDomain, release, clock, log }));
    const channel = owners.use(await ChannelServer.start({ ...options.channel, identities, store, push, clock, log }));
    const adminToken = openAdminToken(dataDir);
    let ready = false;
    const isReady = () => ready;
    const rest = owners.use(
      new RestServer({
        store,
        clock,
        random,
        log,
        credentials: serverCertificate.credentials,
        adminToken,
        issueToken: request => identities.issueToken(request),
        isReady,
        release,
      }),
    );
    serverCertificate.onRenewed(credentials => rest.renew(credentials));
    const metrics = owners.use(
      new MetricsServer({
        release,
        isReady,
        connectedSidecars: () => push.sessions.size,
        resourceVersion: () => Number(store.version()),
      }),
    );
    const metricsAddress = await metrics.listen(options.metrics.host, options.metrics.port);
    const restAddress = await rest.listen(options.rest.host, options.rest.port);
    writeKubeconfig(dataDir, restUrl(restAddress), mesh.bundle.pem, adminToken);
    owners.defer(() => {
      ready = false;
    });
    ready = true;
    return new ControlPlane(owners.move(), restAddress, channel.address, metricsAddress);
  }

  /** Where clients on this machine reach REST. */
  get restUrl(): string {
    return restUrl(this.rest);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owners.disposeAsync();
  }
}

/** An unspecified address is reached by loopback. */
const restUrl = ({ address, family, port }: AddressInfo): string => {
  if (address === '0.0.0.0' || address === '::') return `https://127.0.0.1:${port}`;
  return `https://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
};

const createWhatIsAlwaysThere = async (store: ResourceStore): Promise<void> => {
  for (const name of [DEFAULT_NAMESPACE, SYSTEM_NAMESPACE])
    await createIfMissing(store, NAMESPACE, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
      status: { phase: 'Active' },
    });
  // Only at the first start: who deletes it means the defaults.
  if (store.version() === '2')
    await createIfMissing(store, MESH_CONFIG, {
      apiVersion: 'outrider.mesh/v1',
      kind: 'MeshConfig',
      metadata: { name: MESH_CONFIG_NAME },
      spec: DEFAULT_MESH_CONFIG,
    });
};

const createIfMissing = async <T extends ApiObject>(
  store: ResourceStore,
  kind: ResourceKind<T>,
  object: T,
): Promise<void> => {
  try {
    await store.create(kind, object);
  } catch (error) {
    if (!(error instanceof StoreError && error.code === 'already-exists')) throw error;
  }
};
