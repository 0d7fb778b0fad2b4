/** The sidecar's present identity: one owner, whole values, and a copy on disk that survives a restart. */
import { type Refusal, refuse } from '../../certs/refusal.ts';
import type { Clock } from '../../common/clock.ts';
import { createIdentity, type Identity, type IdentityMaterial, type IdentityReason } from './identity.ts';
import { readIdentityFiles, writeIdentityFiles } from './identity-files.ts';

export interface CertificateStoreOptions {
  readonly clock: Clock;
  /** Where the identity is kept; undefined: nowhere (worker threads get theirs from the first thread). */
  readonly stateDir?: string | undefined;
  /** The identity was taken, but could not be written to `stateDir`: a restart will need the control plane. */
  readonly onNotStored?: (sentence: string) => void;
}

/** What the TLS ends need of the store: to look, never to change. */
export interface IdentityView {
  /** undefined before the first one. */
  readonly current: Identity | undefined;
  /** Called with each new identity. Returns how to stop. */
  onChange(listener: (identity: Identity) => void): () => void;
}

/** Owned by the sidecar; lives as long as it. Connections that are open keep what they were made with. */
export class CertificateStore implements IdentityView {
  readonly #options: CertificateStoreOptions;
  readonly #listeners = new Set<(identity: Identity) => void>();
  #current: Identity | undefined;

  constructor(options: CertificateStoreOptions) {
    this.#options = options;
  }

  get current(): Identity | undefined {
    return this.#current;
  }

  onChange(listener: (identity: Identity) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes what the last run left in the state folder, if it still holds. */
  load(): Refusal<IdentityReason | 'not_stored'> | undefined {
    const { stateDir } = this.#options;
    const material = stateDir === undefined ? undefined : readIdentityFiles(stateDir);
    if (material === undefined) return refuse('not_stored', 'The state folder holds no identity.');
    return this.#take(material);
  }

  /** A renewed certificate with its key, a changed bundle, or all of it. Refused material changes nothing. */
  replace(
    change: IdentityMaterial | Pick<IdentityMaterial, 'trustBundlePem'>,
  ): Refusal<IdentityReason | 'no_identity'> | undefined {
    const current = this.#current;
    if (!('certificatePem' in change) && current === undefined)
      return refuse('no_identity', 'A trust bundle alone is no identity: a certificate must come first.');
    const refusal = this.#take({ ...current, ...change } as IdentityMaterial);
    if (refusal === undefined) this.#store();
    return refusal;
  }

  #take(material: IdentityMaterial): Refusal<IdentityReason> | undefined {
    const identity = createIdentity(material, this.#options.clock.wallMs());
    if ('reason' in identity) return identity;
    this.#current = identity;
    for (const listener of this.#listeners) listener(identity);
    return undefined;
  }

  #store(): void {
    const { stateDir, onNotStored } = this.#options;
    if (stateDir === undefined || this.#current === undefined) return;
    try {
      writeIdentityFiles(stateDir, this.#current);
    } catch (error) {
      onNotStored?.(
        `The identity could not be written to the state folder: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}
