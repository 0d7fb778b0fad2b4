/** Updates put together into whole snapshots. Pure but for what it holds: the parts of the snapshot that was applied last. */
import type { ServiceVersions, Update } from '../../api/discovery.ts';
import { type ServiceView, SNAPSHOT_FORMAT, type Snapshot } from '../../api/snapshot.ts';
import type { SnapshotProblem } from '../../api/validate-snapshot.ts';
import { contentVersion } from '../../common/content-version.ts';

interface HeldService {
  readonly versions: ServiceVersions;
  readonly view: ServiceView;
}

/** A snapshot that an update leads to, to be confirmed once it is applied. */
export interface Assembled {
  readonly snapshot: Snapshot;
  readonly services: ReadonlyMap<string, HeldService>;
}

/** Owned by the subscriber; lives as long as it. */
export class SnapshotAssembly {
  #services: ReadonlyMap<string, HeldService>;
  /** Parts of the update that is coming in. */
  #staged: Update[] = [];

  constructor(snapshot: Snapshot) {
    this.#services = new Map(snapshot.services.map(view => [`${view.name}.${view.namespace}`, hold(view)]));
  }

  /** For the hello. */
  get versions(): Readonly<Record<string, ServiceVersions>> {
    return Object.fromEntries([...this.#services].map(([key, { versions }]) => [key, versions]));
  }

  /** Forgets the parts of an update that did not come to its end. */
  reset(): void {
    this.#staged = [];
  }

  /** Takes one line of an update. Undefined: there is more to come. */
  add(part: Update): Assembled | SnapshotProblem | undefined {
    this.#staged.push(part);
    if (!part.done) return undefined;
    const parts = this.#staged;
    this.#staged = [];
    const services = new Map(this.#services);
    for (const { changed, removed } of parts) {
      for (const { service, versions, config, endpoints } of changed) {
        const old = services.get(service)?.view;
        const view = config ? { ...config, endpoints: endpoints ?? old?.endpoints } : old && { ...old, endpoints };
        if (view?.endpoints === undefined)
          return { path: `services[${service}]`, reason: 'a part of a service came without the part that was missing' };
        services.set(service, { versions, view: view as ServiceView });
      }
      for (const key of removed) services.delete(key);
    }
    const {
      configVersion,
      endpointVersion,
      trustDomain,
      outboundPolicy,
      pathNormalization,
      healthChecks = [],
      mtls,
    } = part;
    return {
      services,
      snapshot: {
        format: SNAPSHOT_FORMAT,
        configVersion,
        endpointVersion,
        trustDomain,
        outboundPolicy,
        ...(pathNormalization === undefined ? {} : { pathNormalization }),
        services: [...services.values()].map(({ view }) => view),
        ...(healthChecks.length > 0 ? { healthChecks } : {}),
        ...(mtls ? { mtls } : {}),
      },
    };
  }

  /** The snapshot was applied: the next update builds on it. */
  confirm({ services }: Assembled): void {
    this.#services = services;
  }
}

/** Versions are made from the content, so they need not be stored. */
const hold = (view: ServiceView): HeldService => {
  const { endpoints, ...config } = view;
  return { versions: [contentVersion(JSON.stringify(config)), contentVersion(JSON.stringify(endpoints))], view };
};
