/** The control plane's own certificate, for REST and for the sidecar channel, renewed while it runs. */
import { networkInterfaces } from 'node:os';
import { SYSTEM_NAMESPACE } from '../../api/namespace.ts';
import { createKeyPair, formatPrivateKey } from '../../certs/certificate-authority.ts';
import { issueCertificate } from '../../certs/issue-certificate.ts';
import { renewalDelayMs } from '../../certs/renewal.ts';
import { createWorkloadId } from '../../certs/spiffe-id.ts';
import type { Clock, Timer } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { MeshAuthority } from './mesh-authority.ts';

export interface ServerCertificateOptions {
  readonly mesh: MeshAuthority;
  readonly lifetimeMs: number;
  /** Names beside those that every control plane has: what clients type. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
}

/** For `tls.Server`. */
export interface ServerCredentials {
  readonly cert: string;
  readonly key: string;
}

const DNS_NAMES = [
  'localhost',
  'outrider',
  `outrider.${SYSTEM_NAMESPACE}`,
  `outrider.${SYSTEM_NAMESPACE}.svc`,
  `outrider.${SYSTEM_NAMESPACE}.svc.cluster.local`,
];

/** Owned by the control plane; lives as long as it. */
export class ServerCertificate implements Disposable {
  readonly #options: ServerCertificateOptions;
  readonly #listeners = new Set<(credentials: ServerCredentials) => void>();
  #credentials: ServerCredentials;
  #timer: Timer | undefined;

  constructor(options: ServerCertificateOptions) {
    this.#options = options;
    this.#credentials = this.#renew();
  }

  get credentials(): ServerCredentials {
    return this.#credentials;
  }

  /** Calls `listener` with each new certificate. */
  onRenewed(listener: (credentials: ServerCredentials) => void): void {
    this.#listeners.add(listener);
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }

  #renew(): ServerCredentials {
    const { mesh, lifetimeMs, dnsNames, ipAddresses, clock, random } = this.#options;
    const id = createWorkloadId(mesh.authority.trustDomain, SYSTEM_NAMESPACE, 'control-plane');
    if ('reason' in id) throw new Error(id.sentence);
    const { privateKey, publicKey } = createKeyPair();
    const nowMs = clock.wallMs();
    const { chainPem, notAfterMs } = issueCertificate(mesh.authority, {
      id,
      publicKey,
      nowMs,
      lifetimeMs,
      dnsNames: [...new Set([...DNS_NAMES, ...dnsNames])],
      ipAddresses: [...new Set([...localAddresses(), ...ipAddresses])],
    });
    this.#timer = clock.setTimer(renewalDelayMs({ sinceMs: nowMs, notAfterMs }, nowMs, random), () => {
      this.#credentials = this.#renew();
      for (const listener of this.#listeners) listener(this.#credentials);
    });
    return { cert: chainPem, key: formatPrivateKey(privateKey) };
  }
}

/** Addresses of this machine, loopback included, without zones. */
const localAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(({ address }) => address.split('%')[0] ?? ''));
