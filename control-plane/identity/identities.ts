/** Everything of the control plane that holds a private key, built from the data directory in one place. */
import type { BaseLogger } from 'pino';
import { SERVICE_ACCOUNT } from '../../api/service-account.ts';
import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import { type ResourceStore, StoreError } from '../store/resource-store.ts';
import { CertificateIssuer } from './certificate-issuer.ts';
import { type MeshAuthority, openMeshAuthority } from './mesh-authority.ts';
import { ServerCertificate } from './server-certificate.ts';
import { type IssuedToken, ServiceAccountTokens } from './service-account-tokens.ts';

export interface IdentitiesOptions {
  /** CA, token key and trust bundle are made in it at the first start. */
  readonly dataDir: string;
  readonly trustDomain: string;
  /** Of sidecars; `--certificate-lifetime`, default 24 h. */
  readonly certificateLifetimeMs: number;
  /** Names and addresses under which clients reach the control plane, beside `localhost` and those of this machine. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly store: ResourceStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Also gets the audit line of each certificate. */
  readonly log: BaseLogger;
}

/** Owned by the control plane; lives as long as it. */
export interface Identities extends Disposable {
  readonly mesh: MeshAuthority;
  readonly tokens: ServiceAccountTokens;
  readonly issuer: CertificateIssuer;
  /** Of REST and of the sidecar channel. */
  readonly serverCertificate: ServerCertificate;
  /** For `TokenRequest`. @throws StoreError `not-found` when there is no such account. */
  issueToken(request: {
    readonly namespace: string;
    readonly serviceAccount: string;
    /** Empty: the sidecar channel. */
    readonly audiences: readonly string[];
    readonly lifetimeMs: number;
  }): Promise<IssuedToken>;
}

/** The control plane's own certificate, whatever sidecars get. */
const SERVER_LIFETIME_MS = 24 * 3_600_000;

/** @throws an Error with a sentence when the files of the data directory cannot be used. */
export const openIdentities = (options: IdentitiesOptions): Identities => {
  const { dataDir, trustDomain, certificateLifetimeMs, dnsNames, ipAddresses, store, clock, random, log } = options;
  const mesh = openMeshAuthority(dataDir, trustDomain, clock);
  const tokens = ServiceAccountTokens.open(dataDir, mesh.authority.trustDomain, clock);
  const serverCertificate = new ServerCertificate({
    mesh,
    lifetimeMs: SERVER_LIFETIME_MS,
    dnsNames,
    ipAddresses,
    clock,
    random,
  });
  return {
    mesh,
    tokens,
    issuer: new CertificateIssuer({ mesh, lifetimeMs: certificateLifetimeMs, clock, audit: log }),
    serverCertificate,
    async issueToken({ namespace, serviceAccount, audiences, lifetimeMs }) {
      const account = await store.get(SERVICE_ACCOUNT, namespace, serviceAccount);
      if (account === undefined)
        throw new StoreError('not-found', `There is no ServiceAccount ${namespace}/${serviceAccount}.`);
      const { uid } = account.metadata;
      return tokens.issue({ namespace, serviceAccount, uid }, audiences, Math.floor(lifetimeMs / 1_000));
    },
    [Symbol.dispose]: () => serverCertificate[Symbol.dispose](),
  };
};
