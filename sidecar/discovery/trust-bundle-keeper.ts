/** The trust bundle follows the mesh's roots, also between two certificates: a root that comes or goes is known everywhere within minutes. */
import type { BaseLogger } from 'pino';
import type { Refusal } from '../../certs/refusal.ts';
import { parseTrustBundle } from '../../certs/trust-bundle.ts';
import type { Clock, Timer } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { CertificateStore } from '../identity/certificate-store.ts';
import type { requestTrustBundle } from './request-trust-bundle.ts';

/** From one look to the next, ± 10 %. */
const LOOK_MS = 5 * 60_000;

export interface TrustBundleKeeperOptions {
  readonly controlPlanes: readonly string[];
  readonly certificates: CertificateStore;
  readonly request: typeof requestTrustBundle;
  /** The roots no longer know our own certificate. */
  readonly onUntrusted: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: BaseLogger;
}

/** Owned by the discovery; lives as long as it. */
export class TrustBundleKeeper implements Disposable {
  readonly #options: TrustBundleKeeperOptions;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: TrustBundleKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, random } = this.#options;
    if (!this.#closed) this.#timer = clock.setTimer(LOOK_MS * (0.9 + 0.2 * random()), () => void this.#look());
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const pem = await this.#ask();
    if (typeof pem === 'string' && !this.#closed) this.#take(pem);
    this.start();
  }

  /** Of the first control plane that answers; undefined: none did, or there is no identity yet. The next look asks again. */
  async #ask(): Promise<string | undefined> {
    const { controlPlanes, certificates, request, log } = this.#options;
    const { current } = certificates;
    if (current === undefined) return undefined;
    const { trustBundlePem, certificatePem, keyPem } = current;
    let refusal: Refusal | undefined;
    for (const url of controlPlanes) {
      const answer = await request(url, { trustBundlePem, certificatePem, keyPem });
      if (typeof answer === 'string') return answer;
      refusal = answer;
    }
    log.warn({ reason: refusal?.reason }, `the trust bundle cannot be refreshed: ${refusal?.sentence ?? ''}`);
    return undefined;
  }

  #take(trustBundlePem: string): void {
    const { certificates, onUntrusted, log } = this.#options;
    const { current } = certificates;
    if (current === undefined) return;
    const bundle = parseTrustBundle(trustBundlePem, current.id.trustDomain);
    if ('reason' in bundle) return log.warn(bundle, 'the trust bundle of the control plane is not used');
    if (bundle.version === current.bundle.version) return;
    const refusal = certificates.replace({ trustBundlePem });
    if (refusal === undefined) return log.info({ version: bundle.version }, 'the trust bundle has changed');
    log.warn(refusal, 'the roots of the mesh no longer know the certificate of this sidecar; it asks for another one');
    onUntrusted();
  }
}
