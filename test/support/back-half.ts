/** The control plane without REST, on a store in memory: sidecar channel, push, registry, identities. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BaseLogger, pino } from 'pino';
import { NAMESPACE } from '../../api/namespace.ts';
import { SERVICE_ACCOUNT } from '../../api/service-account.ts';
import { type Clock, systemClock } from '../../common/clock.ts';
import { systemRandom } from '../../common/random.ts';
import { CertificateIssuer } from '../../control-plane/identity/certificate-issuer.ts';
import { openMeshAuthority } from '../../control-plane/identity/mesh-authority.ts';
import { ServerCertificate } from '../../control-plane/identity/server-certificate.ts';
import { ServiceAccountTokens } from '../../control-plane/identity/service-account-tokens.ts';
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
  const mesh = openMeshAuthority(dataDir, trustDomain, clock);
  const tokens = ServiceAccountTokens.open(dataDir, trustDomain, clock);
  const issuer = new CertificateIssuer({ mesh, lifetimeMs, clock, audit });
  const certificate = new ServerCertificate({
    mesh,
    lifetimeMs: 86_400_000,
    dnsNames: [],
    ipAddresses: [],
    clock,
    random: systemRandom,
  });
  const push = await PushServer.start({ store, trustDomain, release: '0.1.0', clock, log });
  const channel = await ChannelServer.start({
    host: '127.0.0.1',
    port,
    mesh,
    certificate,
    tokens,
    issuer,
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
    mesh,
    tokens,
    push,
    channel,
    url: `https://127.0.0.1:${channel.address.port}`,
    caFile: join(dataDir, 'trust-bundle.pem'),
    trustBundlePem: readFileSync(join(dataDir, 'trust-bundle.pem'), 'utf8'),
    /** A bootstrap token; namespace and account are made where they are missing. */
    async token(namespace: string, serviceAccount: string, expirationSeconds = 3_600): Promise<string> {
      await ensure(() => store.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }));
      await ensure(() =>
        store.create(SERVICE_ACCOUNT, {
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: { name: serviceAccount, namespace },
        }),
      );
      const account = await store.get(SERVICE_ACCOUNT, namespace, serviceAccount);
      const subject = { namespace, serviceAccount, uid: account?.metadata.uid ?? '' };
      return (await tokens.issue(subject, [], expirationSeconds)).token;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await push[Symbol.asyncDispose]();
      await channel[Symbol.asyncDispose]();
      certificate[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    },
  };
};

export type BackHalf = Awaited<ReturnType<typeof startBackHalf>>;
