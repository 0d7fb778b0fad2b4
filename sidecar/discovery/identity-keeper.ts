/**
 * The sidecar's certificate: got with a token, kept on disk, renewed at half of its life with itself. Connections that are
 * open keep theirs until they are replaced (`link-validity.ts`); nothing here closes any.
 */
import { readFileSync } from 'node:fs';
import type { BaseLogger } from 'pino';
import { createCsr } from '../../certs/csr.ts';
import { type Refusal, refuse } from '../../certs/refusal.ts';
import { renewalDelayMs, renewalRetryMs } from '../../certs/renewal.ts';
import { createWorkloadId } from '../../certs/spiffe-id.ts';
import { parseTrustBundle } from '../../certs/trust-bundle.ts';
import type { Clock, Timer } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { CertificateStore } from '../identity/certificate-store.ts';
import type { CertificateAnswer, CertificateRequestReason, requestCertificate } from './request-certificate.ts';

export interface IdentityKeeperOptions {
  readonly controlPlanes: readonly string[];
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Read anew for each try: the platform may have replaced the token. '' for none. */
  readonly tokenFile: string;
  /** '' : the bundle that the state folder holds from an earlier run. */
  readonly caFile: string;
  readonly certificates: CertificateStore;
  readonly request: typeof requestCertificate;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: BaseLogger;
}

/** Roots without a SPIFFE id of their own are those of the product's default trust domain. */
const DEFAULT_TRUST_DOMAIN = 'mesh.local';

/** Owned by the discovery; lives as long as it. */
export class IdentityKeeper implements Disposable {
  readonly #options: IdentityKeeperOptions;
  #timer: Timer | undefined;
  #failures = 0;
  #closed = false;
  /** Our clock minus the server's, as of the last answer; undefined before. */
  clockSkewMs: number | undefined;
  /** Why the last try failed; '' after a success. */
  lastError = '';

  constructor(options: IdentityKeeperOptions) {
    this.#options = options;
  }

  /** Takes the identity that the last run left, if it is ours and still good, and gets or renews it from then on. */
  start(): void {
    const { certificates, log } = this.#options;
    const refusal = certificates.load();
    if (refusal && refusal.reason !== 'not_stored') log.warn(refusal, 'the stored identity is not used');
    const { current } = certificates;
    if (current !== undefined && this.#isOurs())
      this.#renewAfter({ sinceMs: current.notBeforeMs, notAfterMs: current.notAfterMs });
    else void this.#try();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  /** At once, unless it is being renewed. */
  renew(): void {
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#wait(0);
  }

  #isOurs(): boolean {
    const { certificates, namespace, serviceAccount } = this.#options;
    const id = certificates.current?.id;
    return id?.namespace === namespace && id.serviceAccount === serviceAccount;
  }

  #renewAfter(lifetime: { readonly sinceMs: number; readonly notAfterMs: number }): void {
    const { clock, random } = this.#options;
    this.#wait(renewalDelayMs(lifetime, clock.wallMs(), random));
  }

  #wait(ms: number): void {
    if (!this.#closed) this.#timer = this.#options.clock.setTimer(ms, () => void this.#try());
  }

  async #try(): Promise<void> {
    this.#timer = undefined;
    const { certificates, clock, random, log } = this.#options;
    const refusal = await this.#renew();
    if (this.#closed) return;
    const { current } = certificates;
    if (refusal === undefined && current !== undefined) {
      this.#failures = 0;
      this.lastError = '';
      log.info(
        { identity: current.id.uri, notAfter: new Date(current.notAfterMs).toISOString() },
        'certificate received',
      );
      return this.#renewAfter({ sinceMs: clock.wallMs(), notAfterMs: current.notAfterMs });
    }
    this.#failures++;
    this.lastError = refusal?.sentence ?? '';
    log.warn({ reason: refusal?.reason, failures: this.#failures }, `no certificate: ${this.lastError}`);
    const leftMs = current === undefined ? 0 : current.notAfterMs - clock.wallMs();
    this.#wait(renewalRetryMs(this.#failures, leftMs, random));
  }

  /** One round over the control planes. */
  async #renew(): Promise<Refusal | undefined> {
    const { certificates, controlPlanes, namespace, serviceAccount, clock } = this.#options;
    const trustBundlePem = this.#trustBundle();
    if (typeof trustBundlePem !== 'string') return trustBundlePem;
    const bundle = parseTrustBundle(trustBundlePem, DEFAULT_TRUST_DOMAIN);
    if ('reason' in bundle) return bundle;
    const trustDomain = certificates.current?.id.trustDomain ?? [...bundle.roots.keys()][0] ?? DEFAULT_TRUST_DOMAIN;
    const id = createWorkloadId(trustDomain, namespace, serviceAccount);
    if ('reason' in id) return id;
    const { csrPem, keyPem } = createCsr(id);
    let refusal: Refusal = refuse('no_control_plane', 'No control plane is configured.');
    for (const url of controlPlanes) {
      const answer = await this.#ask(url, trustBundlePem, csrPem);
      if ('reason' in answer) {
        refusal = answer;
        continue;
      }
      this.clockSkewMs = Math.round(clock.wallMs() - answer.serverTimeMs);
      const { certificatePem, trustBundlePem: nextBundlePem } = answer;
      return certificates.replace({ certificatePem, keyPem, trustBundlePem: nextBundlePem });
    }
    return refusal;
  }

  /** With the present certificate where there is one, and with the token where that is not enough. */
  async #ask(
    url: string,
    trustBundlePem: string,
    csrPem: string,
  ): Promise<CertificateAnswer | Refusal<CertificateRequestReason | 'no_token'>> {
    const { certificates, request, clock } = this.#options;
    const { current } = certificates;
    if (current !== undefined && this.#isOurs() && current.notAfterMs > clock.wallMs()) {
      const { certificatePem, keyPem } = current;
      const answer = await request(url, { trustBundlePem, certificatePem, keyPem }, undefined, csrPem);
      if (!('reason' in answer) || answer.reason !== 'unauthorized' || this.#options.tokenFile === '') return answer;
    }
    const token = this.#token();
    return typeof token === 'string' ? request(url, { trustBundlePem }, token, csrPem) : token;
  }

  #token(): string | Refusal<'no_token'> {
    const { tokenFile } = this.#options;
    if (tokenFile === '')
      return refuse(
        'no_token',
        'There is no valid certificate and no token: set OUTRIDER_TOKEN_FILE to a file with the output of `outrider token`.',
      );
    try {
      return readFileSync(tokenFile, 'utf8').trim();
    } catch (error) {
      return refuse('no_token', `OUTRIDER_TOKEN_FILE cannot be read: ${(error as Error).message}`);
    }
  }

  /** What the control plane must chain to: the present bundle, which follows rotations, and before the first one the file. */
  #trustBundle(): string | Refusal<'no_trust_bundle'> {
    const { certificates, caFile } = this.#options;
    const present = certificates.current?.trustBundlePem;
    if (caFile === '')
      return (
        present ??
        refuse(
          'no_trust_bundle',
          'OUTRIDER_CA_FILE is not set: it names the PEM bundle that the control plane must chain to (trust-bundle.pem in its data directory).',
        )
      );
    try {
      // Both: the file may be newer than the state folder, or older than the last rotation.
      return `${readFileSync(caFile, 'utf8')}\n${present ?? ''}`;
    } catch (error) {
      return present ?? refuse('no_trust_bundle', `OUTRIDER_CA_FILE cannot be read: ${(error as Error).message}`);
    }
  }
}
