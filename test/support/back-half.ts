/** The control plane without REST, on a store in memory: sidecar channel, push, registry, identities. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BaseLogger, pino } from 'pino';
import { NAMESPACE } from '../../api/namespace.ts';
import { SERVICE_ACCOUNT } from '../../api/service-account.ts';
import { type Clock, systemClock } from '../../common/clock.ts';
import { systemRandom } from '../../common/random.ts';
import { openIdentities } from '../../control-plane/identity/identities.ts';
import { ChannelServer } from '../../control-plane/push/channel-server.ts';
import { PushServer } from '../../control-plane/push/push-server.ts';
import { SqliteStore } from '../../control-plane/store/sqlite-store.ts';

export const silent = pino({ level: 'silent' });

export interface BackHalfOptions {
  readonly dataDir: string;
  readonly port?: number;
  readonly lifetimeMs?: number;
  readonly clock?: Clock;
  readonly audit?: BaseLogger;
  /** File of the store. Default: in memory. */
  readonly storePath?: string;
  readonly log?: BaseLogger;
}

export const startBackHalf = async (options: BackHalfOptions) => {
  const { dataDir, port = 0, lifetimeMs = 86_400_000, clock = systemClock, audit = silent, log = silent } = options;
  const trustDomain = 'mesh.local';
  const store = new SqliteStore({ path: options.storePath ?? ':memory:', clock });
  const identities = openIdentities({
    dataDir,
    trustDomain,
    certificateLifetimeMs: lifetimeMs,
    dnsNames: [],
    ipAddresses: [],
    store,
    clock,
    random: systemRandom,
    log: audit,
  });
  const push = await PushServer.start({ store, trustDomain, release: '0.1.0', clock, log });
  const channel = await ChannelServer.start({
    host: '127.0.0.1',
    port,
    identities,
    store,
    push,
    clock,
    log,
  });
  const ensure = async (create: () => Promise<unknown>): Promise<void> => {
    await create().catch((error: { code?: string }) => {
      if (error.code !== 'already-exists') throw error;
    });
  };
  return {
    store,
    identities,
    push,
    channel,
    url: `https://127.0.0.1:${channel.address.port}`,
    caFile: join(dataDir, 'trust-bundle.pem'),
    trustBundlePem: readFileSync(join(dataDir, 'trust-bundle.pem'), 'utf8'),
    /** A bootstrap token; namespace and account are made where they are missing. */
    async token(namespace: string, serviceAccount: string, expirationSeconds = 3_600): Promise<string> {
      await ensure(() =>
        store.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }),
      );
      await ensure(() =>
        store.create(SERVICE_ACCOUNT, {
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: { name: serviceAccount, namespace },
        }),
      );
      const lifetimeMs = expirationSeconds * 1_000;
      return (await identities.issueToken({ namespace, serviceAccount, audiences: [], lifetimeMs })).token;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await push[Symbol.asyncDispose]();
      await channel[Symbol.asyncDispose]();
      identities[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    },
  };
};

export type BackHalf = Awaited<ReturnType<typeof startBackHalf>>;
